"""A message or thought that is being streamed: what was said of it and is in no completion yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox_agent_core.surrogates import split_half

__all__ = ["OpenItem"]


@dataclass(slots=True)
class OpenItem:
    kind: str
    native_id: Any
    item_id: str
    parent: str | None
    turn_id: str | None
    is_late: bool
    blocks: list[dict[str, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    half: str = ""
    """The first half of a character that the text ends in. No delta has shown it yet."""
    size_bytes: int = 0

    def add(self, content: Any, size_bytes: int) -> None:
        self.size_bytes += size_bytes
        if not isinstance(content, dict):
            return
        text = content.get("text")
        if content.get("type") == "text" and isinstance(text, str):
            self.texts.append(text)
            self.half = split_half(self.half + text)[1]
            return
        self._close_text()
        self.half = ""
        self.blocks.append(content)

    def take(self) -> list[dict[str, Any]]:
        """What is held, but for half a character that may go on in the next part."""
        self._close_text(keep=self.half)
        blocks, self.blocks, self.size_bytes = self.blocks, [], 0
        return blocks

    def take_rest(self) -> list[dict[str, Any]]:
        self.half = ""
        return self.take()

    def _close_text(self, *, keep: str = "") -> None:
        text = "".join(self.texts).removesuffix(keep)
        if text or (self.texts and not keep):
            self.blocks.append({"type": "text", "text": text})
        self.texts = [keep] if keep else []
