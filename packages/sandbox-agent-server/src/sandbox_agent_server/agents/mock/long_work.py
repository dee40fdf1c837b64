"""What the mock agent can be asked beside prompts: to take something into a running turn, to compact, review, fork,
rewind, rename, and requests of a protocol of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.frames.jsonrpc import (
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    notification,
)
from sandbox_agent_core.lenient import as_dict, as_int, as_str

from sandbox_agent_server.agents.mock.offers import MockSession
from sandbox_agent_server.agents.mock.refusal import Refused
from sandbox_agent_server.agents.mock.telling import END
from sandbox_agent_server.agents.mock.turn import Turn, message

__all__ = [
    "NATIVE_ERROR",
    "compact",
    "fork",
    "native",
    "rename",
    "review",
    "rewind",
    "steer",
    "wait",
]

NATIVE_ERROR: Final = -32042
_COMPACTED_TOKENS: Final = {"preTokens": 1000, "postTokens": 100}

Answer = tuple[Any, list[Frame]]


async def wait(turn: Turn, _words: list[str]) -> str:
    """Until something is said into the turn, or it is cancelled."""
    await turn.say("I wait until you say something.")
    await turn.steered.wait()
    return END


def steer(turn: Turn, text: str) -> Answer:
    heard = turn.frame(message(f" You said meanwhile: {text}"))
    turn.steered.set()
    return {}, [heard]


async def compact(turn: Turn, params: Mapping[str, Any]) -> str:
    session = turn.session
    summary = f"{len(session.prompts)} prompts"
    if (instructions := as_str(params.get("instructions"))) is not None:
        summary += f"; {instructions}"
    compacted = {"trigger": "manual", **_COMPACTED_TOKENS, "summary": summary}
    fields = {"sessionId": session.id, **compacted}
    await turn.put(notification(extensions.CONTEXT_COMPACTED, fields))
    return END


async def review(turn: Turn, params: Mapping[str, Any]) -> str:
    target = as_dict(params.get("target"))
    about = {
        "branch": f"the changes against {target.get('branch')}",
        "commit": f"commit {target.get('sha')}",
        "custom": f"what you asked for ({target.get('instructions')})",
    }.get(str(target.get("type")), "the uncommitted changes")
    await turn.say(f"I looked at {about}. There is nothing to object to.")
    return END


def fork(session: MockSession, params: Mapping[str, Any]) -> None:
    """It says yes to every id, and remembers what it was asked."""
    before = as_int(as_dict(params.get("_meta")).get("beforePrompt"))
    where = "" if before is None else f" before prompt {before}"
    session.origin = f"a fork of {params.get('sessionId')}{where}"


def rewind(session: MockSession, params: Mapping[str, Any]) -> Answer:
    index = as_int(params.get("promptIndex"))
    if index is None or index < 0:
        raise Refused(INVALID_REQUEST, f"there is no prompt {params.get('promptIndex')!r}")
    # One that it was not given itself was given to the agent that it is a continuation of.
    dropped = session.edits[index:]
    changed = sorted({path for edits in dropped for path in edits}) if params.get("files") else []
    if params.get("dryRun") is not True:
        if params.get("conversation") is True:
            del session.prompts[index:]
        if params.get("files") is True:
            for edits in dropped:
                edits.clear()
    return {"filesChanged": changed}, []


def rename(session: MockSession, params: Mapping[str, Any]) -> Answer:
    session.title = str(params.get("title"))
    update = {"sessionUpdate": acp.SESSION_INFO_UPDATE, "title": session.title}
    frame = notification(acp.SESSION_UPDATE, {"sessionId": session.id, "update": update})
    return {}, [frame]


def native(session: MockSession, params: Mapping[str, Any]) -> Answer | None:
    """`echo` answers its params, `fail` an error, `size` a text as long as it is told, `silence` nothing."""
    if params.get("method") == "silence":
        return None
    methods: dict[str, Callable[[dict[str, Any]], Any]] = {
        "echo": lambda given: {"echo": given, "sessionId": session.id},
        "size": lambda given: "x" * int(given.get("bytes", 0)),
        "fail": _fail,
    }
    method = methods.get(str(params.get("method")))
    if method is None:
        raise Refused(METHOD_NOT_FOUND, f"unknown native method {params.get('method')!r}")
    return {"result": method(as_dict(params.get("params")))}, []


def _fail(_params: dict[str, Any]) -> Any:
    raise Refused(NATIVE_ERROR, "it failed, as it was asked to")
