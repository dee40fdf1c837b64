"""Where exports go: a file, with what belongs to it beside it, or the standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox_agent_core.exports import SessionExport
from sandbox_agent_core.exports.inspect_archive import inspect_archive

from sandbox_agent_client.errors import InvalidRequest

__all__ = ["write_atif", "write_export", "write_inspect"]


def write_atif(export: SessionExport, output: Path | None) -> None:
    """A file's pictures are in the directory `NAME.media` beside it; without a file they stay in the trajectory.

    Raises:
        InvalidRequest: it cannot be written.
    """
    media = None if output is None else f"{output.name.partition('.')[0] or 'atif'}.media"
    told = export.atif(media=media)
    if output is not None:
        for path, data in told.files.items():
            write_export(data, output.parent / path, makes_directory=True)
    write_export(_json(told.trajectory), output)


def write_inspect(log: Mapping[str, Any], output: Path | None) -> None:
    """An `.eval` file is Inspect's archive, any other the same as JSON. Raises: InvalidRequest."""
    is_archive = output is not None and output.suffix == ".eval"
    write_export(inspect_archive(log) if is_archive else _json(log), output)


def write_export(data: bytes, output: Path | None, *, makes_directory: bool = False) -> None:
    """As it is, whatever the terminal's encoding is. Raises: InvalidRequest."""
    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        file = output.expanduser()
        if makes_directory:
            file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
    except OSError as exc:
        raise InvalidRequest(f"{str(output)!r} cannot be written: {exc.strerror}") from exc


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
