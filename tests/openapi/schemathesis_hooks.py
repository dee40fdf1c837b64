"""What schemathesis is told of this API: real ids among the invented ones, bytes of a tar, which failures of the server's
surroundings are answers. Loaded by its command line (`SCHEMATHESIS_HOOKS`)."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zlib
from typing import Any

import schemathesis

REAL: dict[str, str] = json.loads(os.environ["REAL_IDS"])
PREFIX = "urn:sandbox-agent:error:"


@schemathesis.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> Any:
    """Every second id is one that exists: an invented one never gets past 404."""
    found = dict(path_parameters or {})
    for name, real in REAL.items():
        if name in found and zlib.crc32(repr(found[name]).encode("utf-8", "replace")) % 2:
            found[name] = real
    return found


@schemathesis.check
def server_error_is_documented(_ctx: Any, response: Any, case: Any) -> None:
    """Never a bug (`internal_error`); a program that does not start, a port that nobody listens on are told as such."""
    if response.status_code < 500 or not response.content:  # a HEAD
        return
    code = response.json()["type"].removeprefix(PREFIX)
    documented = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    assert code != "internal_error", response.text
    assert code in documented.get("description", ""), f"{code} is not in the description"


def _tar(_ctx: Any, value: Any) -> bytes:
    """A tar of what was invented, every second time; else what was invented."""
    data = value if isinstance(value, bytes) else json.dumps(value, default=str).encode()
    if zlib.crc32(data) % 2:
        return data
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        member = tarfile.TarInfo("invented")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


schemathesis.serializer("application/x-tar")(_tar)
schemathesis.serializer("application/gzip")(_tar)
