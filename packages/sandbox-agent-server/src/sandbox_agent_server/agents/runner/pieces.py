"""Secrets that an agent writes in pieces: what may be the beginning of one is held back until it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.projection.messages import parent_of
from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server.jsonio import dumps

__all__ = ["MAX_STREAMS", "Pieces"]

MAX_STREAMS: Final = 64
"""Messages and terminals that something is held back of; at one more the oldest is let go."""
_MASK: Final = "***"
_CHUNKS: Final = (acp.AGENT_MESSAGE_CHUNK, acp.AGENT_THOUGHT_CHUNK, acp.USER_MESSAGE_CHUNK)
_TERMINALS: Final = ("terminal_output", "terminal_output_delta")
_FINAL: Final = ("completed", "failed")

_Path = tuple[str, ...]


@dataclass(slots=True)
class _Stream:
    """Text that comes in pieces: a message of an agent or sub-agent, or what a terminal prints."""

    item: object
    """Another one in its place is another text."""
    frame: Frame
    """The last piece, to make one like it."""
    path: _Path
    """Where the text is in it."""
    held: str


class Pieces:
    """Holds less of each text than the longest secret has, and nothing of one that has ended."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        """`secrets`: longest first."""
        self._secrets = secrets
        self._firsts = {secret[0] for secret in secrets}
        self._longest = max((len(secret) for secret in secrets), default=0)
        self._streams: dict[object, _Stream] = {}

    @property
    def is_holding(self) -> bool:
        return bool(self._streams)

    def pass_on(self, wire: WireFrame) -> list[WireFrame]:
        """What may be shown now, in order."""
        frame = wire.frame
        method = frame.get("method")
        if method != acp.SESSION_UPDATE:
            # A request or an answer comes after what was said before it.
            is_end = frame.get("id") is not None
            return [*self.let_go(), wire] if is_end and self._streams else [wire]
        try:
            update = frame["params"]["update"]
            kind = update["sessionUpdate"]
            if kind in _CHUNKS:
                return self._message(wire, kind, update)
            if kind == acp.TOOL_CALL_UPDATE:
                return self._tool(wire, update)
            if kind in (acp.TOOL_CALL, acp.PLAN) and self._streams:
                return [*self.let_go(), wire]
        except (KeyError, TypeError, AttributeError):
            pass  # Not the shape it should have: nothing of it is shown as text.
        return [wire]

    def let_go(self) -> list[WireFrame]:
        """What is held back, because nothing follows it."""
        streams, self._streams = self._streams, {}
        return [_like(stream, stream.held) for stream in streams.values()]

    def _message(self, wire: WireFrame, kind: str, update: dict[str, Any]) -> list[WireFrame]:
        key = ("message", parent_of(update) if "_meta" in update else None)
        item = (kind, update.get("messageId"))
        before = self._end(key, unless=item)
        content = as_dict(update.get("content"))
        text = content.get("text")
        if content.get("type") != "text" or not isinstance(text, str):
            return [*before, *self._end(key), wire]
        path = ("params", "update", "content", "text")
        return [*before, *self._piece(wire, key, item, path, text)]

    def _tool(self, wire: WireFrame, update: dict[str, Any]) -> list[WireFrame]:
        key = ("terminal", str(update.get("toolCallId")))
        is_end = update.get("status") in _FINAL
        own = self._streams.pop(key, None) if is_end else None
        before = self.let_go() if is_end else []
        if own is not None:
            self._streams[key] = own
        meta = as_dict(update.get("_meta"))
        for name in _TERMINALS:
            text = as_dict(meta.get(name)).get("data")
            if isinstance(text, str):
                path = ("params", "update", "_meta", name, "data")
                return [
                    *before,
                    *self._piece(wire, key, None, path, text, keeps_frame=True, is_last=is_end),
                ]
        return [*before, *(self._end(key) if is_end else []), wire]

    def _piece(
        self,
        wire: WireFrame,
        key: object,
        item: object,
        path: _Path,
        text: str,
        *,
        keeps_frame: bool = False,
        is_last: bool = False,
    ) -> list[WireFrame]:
        """`keeps_frame`: it says more than its text, and comes also without. `is_last`: no other follows."""
        stream = self._streams.pop(key, None)
        whole = text if stream is None else stream.held + text
        for secret in self._secrets:
            if secret in whole:
                whole = whole.replace(secret, _MASK)
        keep = 0 if is_last else self._beginning_at_end(whole)
        shown, held = (whole[:-keep], whole[-keep:]) if keep else (whole, "")
        made = _Stream(item, wire.frame, path, held)
        before: list[WireFrame] = []
        if held:
            if len(self._streams) >= MAX_STREAMS:
                before = self._end(next(iter(self._streams)))
            self._streams[key] = made
        if shown == text:
            return [*before, wire]
        return [*before, _like(made, shown)] if shown or keeps_frame else before

    def _end(self, key: object, *, unless: object = None) -> list[WireFrame]:
        stream = self._streams.get(key)
        if stream is None or (unless is not None and stream.item == unless):
            return []
        del self._streams[key]
        return [_like(stream, stream.held)]

    def _beginning_at_end(self, text: str) -> int:
        """How much at its end may be the beginning of a secret."""
        start = max(0, len(text) - self._longest + 1)
        for position in range(start, len(text)):
            if text[position] in self._firsts and any(
                len(text) - position < len(secret) and secret.startswith(text[position:])
                for secret in self._secrets
            ):
                return len(text) - position
        return 0


def _like(stream: _Stream, text: str) -> WireFrame:
    frame = _with(stream.frame, stream.path, text)
    return WireFrame(dumps(frame), frame)


def _with(value: Any, path: _Path, text: str) -> Any:
    if not path:
        return text
    return {**value, path[0]: _with(value[path[0]], path[1:], text)}
