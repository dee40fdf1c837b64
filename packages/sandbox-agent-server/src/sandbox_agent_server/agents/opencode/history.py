"""What OpenCode remembers of a session: its prompts, and the files that were changed since each. Pure."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_list, as_text, dicts_in

from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["MARK", "History", "mark_of", "marked"]

MARK: Final = "sandboxAgent"
"""In the `metadata` of a text that was said into a running turn: OpenCode keeps it, and it is no prompt."""


@dataclass(slots=True)
class History:
    """Ids of messages ascend, and so does what is listed here."""

    prompts: list[str] = field(default_factory=list)
    """Messages of the user that began a turn."""
    messages: set[str] = field(default_factory=set)
    """Of both."""
    _patches: dict[str, list[str]] = field(default_factory=dict)
    """Files that a message of the model changed, as the snapshots of a repository show."""

    @classmethod
    def read(cls, messages: Any, *, but: Container[str], until: str | None) -> History:
        """From the answer of its API. `but`: messages that are known to be no prompts; `until`: the first one
        that was taken back."""
        history = cls()
        for message in dicts_in(messages):
            info, parts = as_dict(message.get("info")), dicts_in(message.get("parts"))
            id = as_text(info.get("id"))
            if id is None or (until is not None and id >= until):
                continue
            history.messages.add(id)
            if info.get("role") == "user" and id not in but and any(map(_is_prompt, parts)):
                history.prompts.append(id)
            for part in parts:
                history.read_part(part)
        return history

    def read_part(self, part: Native) -> None:
        message = as_text(part.get("messageID"))
        if part.get("type") == "patch" and message is not None:
            files = [path for path in as_list(part.get("files")) if isinstance(path, str)]
            self._patches.setdefault(message, []).extend(files)

    def prompt(self, index: Any) -> str:
        """Raises: InvalidParams when there is none of this number."""
        if isinstance(index, int) and 0 <= index < len(self.prompts):
            return self.prompts[index]
        raise InvalidParams(f"there is no prompt {index!r}: the session has {len(self.prompts)}")

    def changed_since(self, message: str) -> list[str]:
        files = [path for id, paths in self._patches.items() if id >= message for path in paths]
        return sorted(set(files))

    def since(self, message: str) -> list[str]:
        """It and the messages after it, the last first."""
        return sorted((id for id in self.messages if id >= message), reverse=True)

    def forget_since(self, message: str) -> None:
        self.messages.difference_update(self.since(message))
        self.prompts = [id for id in self.prompts if id < message]
        self._patches = {id: paths for id, paths in self._patches.items() if id < message}


def marked(parts: list[Native], mark: str) -> list[Native]:
    """The parts of a message that is said into a running turn."""
    texts = [part for part in parts if part["type"] == "text"]
    if not texts:
        parts = [*parts, {"type": "text", "text": "Take this into account."}]
        texts = parts[-1:]
    return [part | {"metadata": {MARK: mark}} if part is texts[0] else part for part in parts]


def mark_of(part: Native) -> str | None:
    return as_text(as_dict(part.get("metadata")).get(MARK))


def _is_prompt(part: Native) -> bool:
    kind = part.get("type")
    if kind == "subtask":
        # A review, in a session of another process: here it is known as that.
        return part.get("command") != "review"
    if kind in ("text", "file", "agent"):
        return not part.get("synthetic") and mark_of(part) is None
    return False
