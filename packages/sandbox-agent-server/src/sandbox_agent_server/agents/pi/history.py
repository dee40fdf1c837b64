"""The prompts of a session among the entries of its tree. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sandbox_agent_core.lenient import as_dict, as_list, as_text, dicts_in

from sandbox_agent_server.agents.native.content import text_of
from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.translator import Native
from sandbox_agent_server.agents.pi.content import acp_blocks

__all__ = ["entry_of", "prompts_in"]


def prompts_in(entries: Native, *, said_into_turns: Iterable[str]) -> list[str]:
    """Entries of the messages that began a turn, on the branch that the session is on: of an answer of
    `get_entries`. What was said into a turn comes behind the result of a tool, or is known by its text."""
    by_id = {str(entry.get("id")): entry for entry in dicts_in(entries.get("entries"))}
    said = Counter(said_into_turns)
    found: list[str] = []
    is_at_work = False
    for id in reversed(list(_branch(by_id, as_text(entries.get("leafId"))))):
        message = as_dict(by_id[id].get("message"))
        match message.get("role"):
            case "user":
                text = text_of(acp_blocks(message.get("content")))
                if said[text] > 0:
                    said[text] -= 1
                elif not is_at_work:
                    found.append(id)
                is_at_work = False
            case "assistant":
                content = as_list(message.get("content"))
                is_at_work = any(as_dict(block).get("type") == "toolCall" for block in content)
                is_at_work = is_at_work and message.get("stopReason") == "toolUse"
            case "toolResult":
                is_at_work = True
    return found


def _branch(by_id: dict[str, Native], leaf: str | None) -> Iterable[str]:
    """From its end."""
    seen = set()
    while leaf is not None and leaf in by_id and leaf not in seen:
        seen.add(leaf)
        yield leaf
        leaf = as_text(by_id[leaf].get("parentId"))


def entry_of(prompts: list[str], index: Any) -> str:
    """Raises: InvalidParams."""
    if isinstance(index, int) and 0 <= index < len(prompts):
        return prompts[index]
    raise InvalidParams(f"there is no prompt {index!r}: the session has {len(prompts)}")
