"""What can be asked of Qwen in long work, by a command and by requests of its own beside ACP (since 0.24)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.frames import acp, operations
from sandbox_agent_core.frames.jsonrpc import INTERNAL_ERROR
from sandbox_agent_core.lenient import as_dict, as_int, as_list, as_text, dicts_in

from sandbox_agent_server.agents.acp.verbs import Ask, Done, Running, Verb, by_command
from sandbox_agent_server.agents.refusals import InvalidParams, Refused

__all__ = ["CAPABILITIES", "VERBS"]

CAPABILITIES: Final[Mapping[str, Any]] = {
    "steer": True,
    "compact": True,
    "fork": {"at": True},
    "rewind": {"files": True, "conversation": True},
    "rename": True,
    "usage": "tokens",
}


def _rename(params: Mapping[str, Any]) -> Running:
    given = {"sessionId": params.get("sessionId"), "title": params.get("title")}
    renamed = as_dict((yield Ask("renameSession", given)))
    if renamed.get("success") is not True:
        raise Refused(INTERNAL_ERROR, "Qwen did not keep the title")
    return Done({})


def _rewind(params: Mapping[str, Any]) -> Running:
    session_id, index = params.get("sessionId"), as_int(params.get("promptIndex"))
    with_files = params.get("files") is True
    if params.get("conversation") is not True:
        raise InvalidParams("Qwen takes files back only together with the conversation")
    known = as_dict((yield Ask("qwen/status/session/rewind_snapshots", {"sessionId": session_id})))
    snapshots = dicts_in(known.get("snapshots"))
    snapshot = next((item for item in snapshots if item.get("turnIndex") == index), None)
    if snapshot is None:
        raise InvalidParams(f"Qwen cannot go back to before prompt {index}")
    if params.get("dryRun") is True:
        return Done({})
    target = {"sessionId": session_id, "targetTurnIndex": index, "rewindFiles": with_files}
    if with_files:
        target["promptId"] = snapshot.get("promptId")
    rewound = as_dict((yield Ask("rewindSession", target)))
    if failed := as_list(rewound.get("filesFailed")):
        raise Refused(
            INTERNAL_ERROR, f"not all files are as they were: {', '.join(map(str, failed))}"
        )
    return Done({"filesChanged": as_list(rewound.get("filesChanged"))} if with_files else {})


def _fork(params: Mapping[str, Any]) -> Running:
    """It forks a session that it has open, so it opens that first."""
    place = {name: params[name] for name in ("cwd", "mcpServers") if name in params}
    origin = {**place, "sessionId": params.get("sessionId")}
    yield Ask(acp.SESSION_RESUME, origin)
    branch = as_dict((yield Ask("qwen/control/session/branch", {"sessionId": origin["sessionId"]})))
    fork = as_text(branch.get("newSessionId"))
    if fork is None:
        raise Refused(INTERNAL_ERROR, "Qwen did not say which session is the fork")
    opened = as_dict((yield Ask(acp.SESSION_RESUME, {**place, "sessionId": fork})))
    before = as_int(as_dict(params.get("_meta")).get("beforePrompt"))
    if before is not None:
        yield Ask(
            "rewindSession", {"sessionId": fork, "targetTurnIndex": before, "rewindFiles": False}
        )
    return Done({**opened, "sessionId": fork})


VERBS: Final[Mapping[str, Verb]] = {
    operations.SESSION_COMPACT: by_command(
        "/compress", words=lambda params: as_text(params.get("instructions"))
    ),
    operations.SESSION_FORK: _fork,
    operations.SESSION_RENAME: _rename,
    operations.SESSION_REWIND: _rewind,
}
