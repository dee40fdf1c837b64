"""Which requests of Codex's own protocol a caller may make of a session, and which are for others to make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.frames.jsonrpc import INVALID_REQUEST
from sandbox_agent_core.lenient import as_text

from sandbox_agent_server.agents.codex.translate import Translator
from sandbox_agent_server.agents.native.refusals import InvalidParams, Refused
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["native_request"]

# By method, or by what it starts with. What a session would not notice, or its policy not be asked about.
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
    "thread/approveGuardianDeniedAction": "answer its permission requests",
    "review/": "have the session review",
    "turn/start": "prompt the session",
    "turn/steer": "steer the session",
    "turn/interrupt": "cancel the turn",
    "turn/settings/": "set the session's mode, model or configuration",
    # These run, write or reach something without anybody being asked.
    "thread/shellCommand": "run it as a process of the sandbox",
    "command/": "run it as a process of the sandbox",
    "process/": "run it as a process of the sandbox",
    "fs/": "use the files of the sandbox",
    "mcpServer/tool/": "prompt the session to call it",
    "environment/add": "create a session with other `additionalDirectories`",
    # These change the user's Codex for everybody who uses it.
    "account/login": "log in on the machine of the server",
    "account/logout": "log out on the machine of the server",
    "account/gatewayOAuth/login": "log in on the machine of the server",
    "accountSession/switch": "log in on the machine of the server",
    "config/batchWrite": "edit its `config.toml`",
    "config/value/": "edit its `config.toml`",
    "experimentalFeature/enablement/": "edit its `config.toml`",
    "externalAgentConfig/import": "edit its `config.toml`",
    "marketplace/": "edit its `config.toml`",
    "memory/reset": "edit its `config.toml`",
    "modelProvider/config/": "edit its `config.toml`",
    "modelProvider/default/": "edit its `config.toml`",
    "plugin/install": "edit its `config.toml`",
    "plugin/uninstall": "edit its `config.toml`",
    "remoteControl/": "edit its `config.toml`",
    "skills/config/": "edit its `config.toml`",
}
_READING: Final = frozenset({"externalAgentConfig/import/readHistories", "plugin/installed"})
_OF_A_THREAD: Final = "thread/"


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
    if method.startswith(_OF_A_THREAD):
        asked.setdefault("threadId", translator.session_id)
    if "threadId" in asked and not translator.has_thread(asked["threadId"]):
        raise InvalidParams(f"{asked['threadId']!r} is no thread of this session")
    return method, asked


def _instead_of(method: str) -> str | None:
    if method in _READING:
        return None
    found = (told for start, told in _INSTEAD.items() if method.startswith(start))
    return next(found, None)
