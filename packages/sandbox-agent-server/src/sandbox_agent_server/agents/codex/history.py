"""The turns that a thread has in its memory, and which of them a prompt began."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_text, dicts_in

from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["PROMPT_MARK", "STEER_MARK", "Ask", "pages_of_turns", "turn_of_prompt", "was_steered"]

PROMPT_MARK: Final = "prompt-"
STEER_MARK: Final = "steer-"
"""How the ids begin that what was said is known by in a thread, for good."""

Ask = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""A question to Codex. Raises: AgentRefused, AgentEnded."""


async def pages_of_turns(ask: Ask, thread_id: str) -> AsyncIterator[list[Native]]:
    """All turns with their items, the oldest first; also of a thread that nobody has open.

    Raises: what `ask` does.
    """
    params: Native = {"threadId": thread_id, "itemsView": "full", "sortDirection": "asc"}
    while True:
        page = as_dict(await ask("thread/turns/list", params))
        yield dicts_in(page.get("data"))
        if page.get("nextCursor") is None:
            return
        params = params | {"cursor": page["nextCursor"]}


async def turn_of_prompt(ask: Ask, thread_id: str, index: Any) -> str:
    """The id of the turn that the prompt with this index (from 0) began.

    Raises: InvalidParams, and what `ask` does.
    """
    if type(index) is not int or index < 0:
        raise InvalidParams(f"the index of a prompt must be a number from 0, not {index!r}")
    count = 0
    async for turns in pages_of_turns(ask, thread_id):
        for turn in turns:
            count += _prompts_in(turn)
            if count > index and (turn_id := as_text(turn.get("id"))) is not None:
                return turn_id
    raise InvalidParams(f"there is no prompt {index}: Codex remembers {count}, counted from 0")


def was_steered(item: Native) -> bool:
    return str(item.get("clientId")).startswith(STEER_MARK)


def _prompts_in(turn: Native) -> int:
    """A turn that Codex began by itself may have taken prompts in. None is in compactions and reviews, which have
    a turn inside."""
    if turn.get("rootTurnId") not in (None, turn.get("id")):
        return 0
    items = dicts_in(turn.get("items"))
    marked = [item for item in items if str(item.get("clientId")).startswith(PROMPT_MARK)]
    if marked:
        return len(marked)
    # Of another client, or cancelled so early that it has not even its prompt.
    return 1 if not items or items[0].get("type") == "userMessage" else 0
