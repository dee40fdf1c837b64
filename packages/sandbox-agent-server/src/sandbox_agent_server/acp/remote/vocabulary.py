"""What ACP clients and the server say to each other beside what the server says to agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict

__all__ = [
    "LOGOUT",
    "META",
    "SESSION_CLOSE",
    "SESSION_DELETE",
    "SESSION_LIST",
    "own_meta",
]

SESSION_LIST: Final = "session/list"
SESSION_CLOSE: Final = "session/close"
SESSION_DELETE: Final = "session/delete"
LOGOUT: Final = "logout"

META: Final = "sandbox_agent"
"""The member of `_meta` that is ours.

To a client: `{cursor}` of an update, the seq of the entry of the session's log that it shows; `{cursor, requestId}` of a
request, and the second stays when it is asked anew; `{pending}` of what answers `session/load` and `session/resume`: the
requests that are open. From a client: `{cursor, turns}` of these two, from where on it wants updates and which prompts are
its own; `{sessionId, session}` of `session/new`, an id of its choice and more members of `POST /v1/sessions`; `{turnId,
again}` of `session/prompt`, its own name for the turn, and whether it may have arrived before.
"""


def own_meta(params: Mapping[str, Any]) -> dict[str, Any]:
    return as_dict(as_dict(params.get("_meta")).get(META))
