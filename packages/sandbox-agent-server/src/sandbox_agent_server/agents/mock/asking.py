"""Scenarios that need a person: a permission, a question."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.frames import acp, extensions
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.capabilities import CAPABILITIES_META

from sandbox_agent_server.agents.mock.telling import END, tool_done, tool_started, tool_update
from sandbox_agent_server.agents.mock.turn import Turn

__all__ = ["permission", "question"]

_PERMISSIONS: Final = (
    {"optionId": "allow-once", "name": "Allow once", "kind": "allow_once"},
    {"optionId": "allow-always", "name": "Always allow", "kind": "allow_always"},
    {"optionId": "reject-once", "name": "Reject", "kind": "reject_once"},
)

_QUESTIONS: Final[tuple[dict[str, Any], ...]] = (
    {
        "id": "color",
        "question": "Which color should it be?",
        "header": "Color",
        "options": [
            {"label": "Red", "description": "Like a fire engine"},
            {"label": "Blue", "description": "Like the sky"},
        ],
        "multiSelect": False,
    },
    {
        "id": "extras",
        "question": "What should come with it?",
        "header": "Extras",
        "options": [
            {"label": "Stripes", "description": "Two"},
            {"label": "Dots", "description": "Many"},
        ],
        "multiSelect": True,
    },
)


async def permission(turn: Turn, _words: list[str]) -> str:
    id = turn.new_call_id()
    command = asked = "touch allowed.txt"
    started = tool_started(id, command, "execute", {"command": command})
    await turn.send(started)
    call = {key: value for key, value in started.items() if key != "sessionUpdate"}
    said = await _hooked(turn, "before_tool", toolCall=call)
    decision = said.get("decision")
    if decision is None and (turn.session.is_trusted or turn.session.mode == "bypass"):
        decision = "allow"
    if decision not in ("allow", "deny"):
        result = await turn.ask(
            acp.SESSION_REQUEST_PERMISSION, toolCall=call, options=list(_PERMISSIONS)
        )
        outcome, said = result.get("outcome"), _beside(result)
        chosen = outcome.get("optionId") if isinstance(outcome, dict) else None
        if chosen is None:
            await turn.send(tool_update(id, "failed"))
            return "cancelled"
        decision = "allow" if chosen in {"allow-once", "allow-always"} else "deny"
        turn.session.is_trusted = chosen == "allow-always"
    if decision == "deny":
        await turn.send(tool_update(id, "failed"))
        why = f": {said['message']}" if "message" in said else ", so I left it."
        await turn.say(f"You did not allow it{why}")
        return END
    updated = as_dict(said.get("updatedInput"))
    command = str(updated.get("command", command))
    other = {} if command == asked else {"title": command, "rawInput": {"command": command}}
    await turn.send(tool_update(id, "in_progress", **other), tool_done(id, ""))
    after = await _hooked(turn, "after_tool", toolCall={**call, **other}, output="")
    more = f" {after['context']}" if "context" in after else ""
    await turn.say(f"Done: I ran {command}.{more}")
    return END


async def _hooked(turn: Turn, event: str, **told: Any) -> dict[str, Any]:
    """What a hook of the session says; nothing where it has none."""
    if event not in turn.session.hooks:
        return {}
    return await turn.ask(extensions.HOOK, event=event, **told)


async def question(turn: Turn, _words: list[str]) -> str:
    result = await turn.ask(
        acp.ELICITATION_CREATE,
        mode="form",
        message="I need to know two things.",
        requestedSchema=_schema(),
        _meta={"questions": list(_QUESTIONS)},
    )
    match result.get("action"), result.get("content"):
        case "accept", dict(content):
            answers = (f"{id} = {_plain(answer)}" for id, answer in content.items())
            await turn.say(f"You answered {'; '.join(answers) or 'nothing'}.")
        case "decline", _:
            await turn.say("You did not want to answer.")
        case _:
            await turn.say("Nobody answered.")
    return END


def _beside(result: dict[str, Any]) -> dict[str, Any]:
    """What an answer says beside the option."""
    return as_dict(as_dict(result.get("_meta")).get(CAPABILITIES_META))


def _schema() -> dict[str, Any]:
    """The same questions, for clients that know only standard ACP."""
    properties: dict[str, Any] = {}
    for asked in _QUESTIONS:
        labels = {"type": "string", "enum": [option["label"] for option in asked["options"]]}
        answer = {"type": "array", "items": labels} if asked["multiSelect"] else labels
        properties[asked["id"]] = {
            "title": asked["header"],
            "description": asked["question"],
            **answer,
        }
    return {"type": "object", "properties": properties, "required": ["color"]}


def _plain(answer: object) -> str:
    return ", ".join(map(str, answer)) if isinstance(answer, list) else str(answer)
