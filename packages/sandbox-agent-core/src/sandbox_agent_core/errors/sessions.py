"""Of sessions, their turns and their requests."""

from __future__ import annotations

from sandbox_agent_core.errors.general import Conflict, InvalidRequest, NotFound, PermissionDenied

__all__ = [
    "CostUnknown",
    "InputForbidden",
    "LeaseLost",
    "ModeNotSupported",
    "OperationNotSupported",
    "OutcomeUnknown",
    "RequestAlreadyResolved",
    "RequestNotFound",
    "SessionAlreadyExists",
    "SessionClosed",
    "SessionDamaged",
    "SessionNotFound",
    "SessionOwned",
    "TurnNotFound",
    "WorkspaceNotTrusted",
]


class ModeNotSupported(InvalidRequest):
    code = "mode_not_supported"
    title = "Mode Not Supported"


class WorkspaceNotTrusted(PermissionDenied):
    """The workspace holds a file that the agent would run by itself; `details.files` names what was found.

    Remove it, or make the session with `trust_workspace`.
    """

    code = "workspace_not_trusted"
    title = "Workspace Not Trusted"


class InputForbidden(PermissionDenied):
    """The input that an answer puts in the place of the agent's is denied by a rule or a mode of the session;
    `details.rule` names it. The request stays open."""

    code = "input_forbidden"
    title = "Input Forbidden"


class SessionNotFound(NotFound):
    code = "session_not_found"
    title = "Session Not Found"


class TurnNotFound(NotFound):
    """The session has never had a turn with that id."""

    code = "turn_not_found"
    title = "Turn Not Found"
    resource = "turn"


class RequestNotFound(NotFound):
    """The session has never had a permission or question with that id."""

    code = "request_not_found"
    title = "Request Not Found"
    resource = "request"


class SessionAlreadyExists(Conflict):
    code = "session_already_exists"
    title = "Session Already Exists"


class SessionClosed(Conflict):
    """The session was ended: its log can be read, but it takes no more prompts."""

    code = "session_ended"
    title = "Session Ended"


class SessionDamaged(Conflict):
    """What is kept of the session cannot be read; `DELETE …?purge=true` removes it. `details.reason` says what
    is wrong."""

    code = "session_damaged"
    title = "Session Damaged"


class SessionOwned(Conflict):
    """Another process writes the session into the store; `details` carry `holder`, and `expiresAt`, when it lets go if
    it does not go on."""

    code = "session_owned"
    title = "Session Owned"
    retryable = True


class LeaseLost(Conflict):
    """Another process has taken the session over: nothing more is stored for this one."""

    code = "lease_lost"
    title = "Lease Lost"


class OutcomeUnknown(Conflict):
    """A request came again, and the server died while it carried it out the first time."""

    code = "outcome_unknown"
    title = "Outcome Unknown"


class RequestAlreadyResolved(Conflict):
    """Somebody answered first; `details.resolution` says who and what."""

    code = "request_already_resolved"
    title = "Request Already Resolved"


class OperationNotSupported(Conflict):
    """The agent of the session cannot do this; `details` carry `agent` and `operation`, the message what to do
    instead."""

    code = "operation_not_supported"
    title = "Operation Not Supported"


class CostUnknown(OperationNotSupported):
    """A prompt was given `max_cost`, and nobody can tell what its turn costs while it runs."""

    code = "cost_unknown"
    title = "Cost Unknown"
