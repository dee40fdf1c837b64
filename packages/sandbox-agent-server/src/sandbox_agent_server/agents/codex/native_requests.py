"""Which requests of Codex's own protocol a caller may make of a session, and what it is to ask of the session instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.frames.jsonrpc import INVALID_REQUEST
from sandbox_agent_core.lenient import as_text

from sandbox_agent_server.agents.codex.translate import Translator
from sandbox_agent_server.agents.native.refusals import InvalidParams, Refused
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["native_request"]

# By method, or by what it starts with: what a session would not notice, and be wrong about from then on. All else is
# passed on, also what runs or writes without anybody being asked: who may ask for it, the server has decided.
_INSTEAD: Final[Mapping[str, str]] = {
    "initialize": "it is done",
    "thread/start": "create a session",
    "thread/resume": "resume the session",
    "thread/fork": "fork the session",
    "thread/revert": "rewind the session",
    "thread/compact/": "compact the session",
    "thread/name/": "rename the session",
    "thread/settings/": "set the session's mode, model or configuration",
    "thread/queue/": "prompt the session: prompts queue",
    "thread/archive": "end the session",
    "thread/delete": "end the session",
    "thread/unsubscribe": "end the session",
    "review/": "have the session review",
    "turn/start": "prompt the session",
    "turn/steer": "steer the session",
    "turn/interrupt": "cancel the turn",
    "turn/settings/": "set the session's mode, model or configuration",
}
_OF_A_THREAD: Final = "thread/"
_OF_ALL_THREADS: Final = ("thread/list", "thread/loaded/", "thread/search")


def native_request(params: Mapping[str, Any], translator: Translator) -> tuple[str, Native]:
    """`(method, params)` for Codex. The session's thread is meant where none is named.

    Raises: Refused, for what the session itself is for, and for threads of others.
    """
    method, given = as_text(params.get("method")), params.get("params")
    if method is None:
        raise InvalidParams("`method` must be a method of Codex's app-server")
    if not isinstance(given, dict | None):
        raise InvalidParams(f"`params` must be an object, not {given!r}")
    instead = _instead_of(method)
    if instead is not None:
        raise Refused(INVALID_REQUEST, f"{method!r} is not passed on to Codex: {instead}.")
    asked: Native = dict(given or {})
    if method.startswith(_OF_A_THREAD) and not method.startswith(_OF_ALL_THREADS):
        asked.setdefault("threadId", translator.session_id)
    if "threadId" in asked and not translator.has_thread(asked["threadId"]):
        raise InvalidParams(f"{asked['threadId']!r} is no thread of this session")
    return method, asked


def _instead_of(method: str) -> str | None:
    found = (told for start, told in _INSTEAD.items() if method.startswith(start))
    return next(found, None)
