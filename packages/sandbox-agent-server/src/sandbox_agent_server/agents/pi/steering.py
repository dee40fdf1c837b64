"""What is said into a running turn: Pi queues it, and says when it has taken it up."""

from __future__ import annotations

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["Steering"]


class Steering:
    def __init__(self) -> None:
        self._waiting: list[tuple[str, list[Native]]] = []
        self._taken: list[str] = []
        """The model has them, and Pi has not repeated them yet."""
        self.said: list[str] = []
        """All that was ever taken up."""

    def say(self, message: str, images: list[Native]) -> None:
        self._waiting.append((message, images))

    def unsay(self, message: str) -> None:
        """Pi did not take it."""
        self._waiting = [one for one in self._waiting if one[0] != message]

    def read_queue(self, length: int) -> None:
        """It keeps their order, and gives the first ones to the model."""
        if (taken := len(self._waiting) - length) > 0:
            texts = [message for message, _ in self._waiting[:taken]]
            self._taken += texts
            self.said += texts
            del self._waiting[:taken]

    def is_echo(self, text: str) -> bool:
        if text not in self._taken:
            return False
        self._taken.remove(text)
        return True

    def take(self) -> tuple[str, list[Native]] | None:
        """What waits though nothing runs any more, as one prompt."""
        if not self._waiting:
            return None
        waiting, self._waiting = self._waiting, []
        text = "\n\n".join(message for message, _ in waiting)
        self.said.append(text)
        return text, [image for _, images in waiting for image in images]

    def clear(self) -> bool:
        """True when something was waiting."""
        was_waiting = bool(self._waiting)
        self._waiting.clear()
        return was_waiting
