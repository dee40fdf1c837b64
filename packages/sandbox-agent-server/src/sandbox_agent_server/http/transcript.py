"""A transcript as JSON, written turn by turn: as one document it would be in memory three times."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Final

from sandbox_agent_core.errors import StorageError
from sandbox_agent_core.view import Transcript

from sandbox_agent_server.http.large_answer import Body
from sandbox_agent_server.http.stream import PIECE_BYTES
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.sessions.folding import fold_log

__all__ = ["transcript_body"]

_IN_MEMORY_BYTES: Final = 256 * 1024


async def transcript_body(log: SessionLog, directory: Path) -> Body:
    """A larger one waits for its client in a file of `directory` without a name.

    Raises:
        StorageError: the log cannot be read, or there is no space.
    """
    transcript = await fold_log(log)
    try:
        return await asyncio.to_thread(_write, transcript, directory)
    except OSError as exc:
        raise StorageError(f"a transcript cannot be written to {str(directory)!r}: {exc}") from exc


def _write(transcript: Transcript, directory: Path) -> Body:
    file = SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(directory))  # noqa: SIM115 - closed by who reads it
    try:
        for part in _parts(transcript):
            file.write(part)
        size = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return Body(size, min(size, _IN_MEMORY_BYTES), _pieces(file))


def _parts(transcript: Transcript) -> Iterator[bytes]:
    turns, transcript.turns = transcript.turns, []
    rest = transcript.to_wire()
    del rest["turns"]
    yield dumps(rest)[:-1] + b',"turns":['
    turns.reverse()
    comma = b""
    while turns:
        yield comma + dumps(turns.pop().to_wire())
        comma = b","
    yield b"]}"


def _pieces(file: SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece
