"""Searches the directory it is started in for a regular expression, and writes what it finds as ripgrep does.

A program of its own, which `grepping` starts where there is no ripgrep, and kills when it takes too long.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import stat
import sys
from collections.abc import Iterator
from typing import Any, Final

from sandbox_agent_server.host.files.globs import Glob
from sandbox_agent_server.host.files.walking import Found, walk

__all__ = ["main"]

_BAD_PATTERN: Final = 2
_BINARY_FROM_BYTES: Final = 8192


def main() -> int:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    wanted = json.loads(sys.argv[1])
    text = os.fsencode(wanted["pattern"])
    try:
        pattern = re.compile(
            re.escape(text) if wanted["isLiteral"] else text,
            re.IGNORECASE if wanted["ignoresCase"] else 0,
        )
    except (re.error, RecursionError, OverflowError) as exc:
        print(f"regex parse error: {exc}", file=sys.stderr)  # noqa: T201 - what it is for
        return _BAD_PATTERN
    glob = Glob(wanted["glob"]) if wanted["glob"] else None
    top = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    for one in walk(top, with_ignored=wanted["withIgnored"]):
        if not one.is_directory and (glob is None or glob.fits(one.parts)):
            for record in _matches(one, pattern, wanted["maxFileBytes"]):
                sys.stdout.write(json.dumps(record, separators=(",", ":")) + "\n")
    return 0


def _matches(one: Found, pattern: re.Pattern[bytes], max_bytes: int) -> Iterator[dict[str, Any]]:
    content = _content(one, max_bytes)
    if b"\0" in content[:_BINARY_FROM_BYTES]:
        return
    for number, line in enumerate(content.split(b"\n"), 1):
        found = [match.span() for match in pattern.finditer(line)]
        if found:
            yield {
                "type": "match",
                "data": {
                    "path": _value(os.fsencode(one.path)),
                    "lines": _value(line),
                    "line_number": number,
                    "submatches": [{"start": start, "end": end} for start, end in found],
                },
            }


def _content(one: Found, max_bytes: int) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        if not stat.S_ISREG(os.lstat(one.name, dir_fd=one.directory).st_mode):
            return b""
        opened = os.open(one.name, flags, dir_fd=one.directory)
    except OSError:
        return b""
    with os.fdopen(opened, "rb") as file:
        try:
            status = os.fstat(opened)
            if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
                return b""
            return file.read(max_bytes)
        except OSError:
            return b""


def _value(raw: bytes) -> dict[str, str]:
    try:
        return {"text": raw.decode()}
    except UnicodeDecodeError:
        return {"bytes": base64.b64encode(raw).decode()}


if __name__ == "__main__":
    sys.exit(main())
