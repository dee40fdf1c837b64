"""The last words of a process: what it wrote to stderr before it ended, fit to be shown to people."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox_agent_core.redact import mask

__all__ = ["StderrTail"]

_LIMIT_BYTES = 8 * 1024


class StderrTail:
    """Keeps the newest `limit_bytes`, whatever is written."""

    def __init__(self, *, limit_bytes: int = _LIMIT_BYTES, secrets: Iterable[str] = ()) -> None:
        self._limit = limit_bytes
        self._secrets = tuple(secrets)
        self._kept = bytearray()
        self._is_cut = False

    def feed(self, data: bytes) -> None:
        self._kept += data
        # Cut at twice the limit, so that a stream of small writes is not moved each time.
        if len(self._kept) > 2 * self._limit:
            self._cut()

    def text(self) -> str:
        """The tail, starting at a whole line where there is one, with secrets masked."""
        if len(self._kept) > self._limit:
            self._cut()
        kept = bytes(self._kept)
        if self._is_cut:
            # A secret cut in half would not be recognised: the line that it was in goes.
            head, _newline, rest = kept.partition(b"\n")
            kept = rest or head
        return mask(kept.decode("utf-8", "replace"), secrets=self._secrets).rstrip()

    def _cut(self) -> None:
        del self._kept[: -self._limit]
        self._is_cut = True
