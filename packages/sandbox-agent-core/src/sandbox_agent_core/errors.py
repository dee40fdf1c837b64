"""Every error, in one tree.

    SandboxAgentError
      InvalidRequest                     400 invalid_request
        UnsupportedAgent                 400 unsupported_agent
        AgentNotInstallable              400 agent_not_installable
        ModeNotSupported                 400 mode_not_supported
        ValueNotSupported                400 value_not_supported
        AgentOptionsInvalid              400 agent_options_invalid
        IdempotencyKeyReused             422 idempotency_key_reused
      TokenInvalid                       401 token_invalid
      PermissionDenied                   403 permission_denied
        InstallForbidden                 403 install_forbidden
        WorkspaceNotTrusted              403 workspace_not_trusted
        AgentOptionForbidden             403 agent_option_forbidden
        InputForbidden                   403 input_forbidden
      NotFound                           404 not_found
        AgentNotInstalled                404 agent_not_installed
        SessionNotFound                  404 session_not_found
        TurnNotFound                     404 turn_not_found
        RequestNotFound                  404 request_not_found
        TokenNotFound                    404 token_not_found
      MethodNotAllowed                   405 method_not_allowed
      NotAcceptable                      406 not_acceptable
      Conflict                           409 conflict
        SessionAlreadyExists             409 session_already_exists
        SessionClosed                    409 session_ended
        SessionDamaged                   409 session_damaged
        OutcomeUnknown                   409 outcome_unknown
        RequestAlreadyResolved           409 request_already_resolved
        OperationNotSupported            409 operation_not_supported
          CostUnknown                    409 cost_unknown
      RequestTimeout                     408 request_timeout         retryable
      PayloadTooLarge                    413 payload_too_large
        HeadTooLarge                     431 head_too_large
      UnsupportedMediaType               415 unsupported_media_type
      AgentAuthRequired                  424 agent_auth_required
      LimitReached                       429 limit_reached           retryable
      InternalError                      500 internal_error
      InstallFailed                      500 install_failed
        IntegrityMismatch                500 integrity_mismatch
        NodeMissing                      500 node_missing
        PythonMissing                    500 python_missing
        PlatformNotSupported             500 platform_not_supported
        RegistryAuthRequired             500 registry_auth_required
        RegistryUnavailable              503 registry_unavailable    retryable
      AgentError                         502 agent_error
        AgentOverloaded                  503 agent_overloaded        retryable
        AgentRateLimited                 429 agent_rate_limited      retryable
        AgentStartFailed                 502 agent_start_failed
        AgentProcessExited               502 agent_process_exited
        ContextOverflow                  502 context_overflow
        QuotaExceeded                    429 quota_exceeded
      Unavailable                        503 unavailable             retryable
      Timeout                            504 timeout                 retryable
      StorageError                       507 storage_error           retryable

    only raised by the client
      ClientClosed                       client_closed
      NoSandbox                          no_sandbox
      CallbackError                      callback_error
      ServerUnreachable                  server_unreachable          retryable
      ServerStartFailed                  server_start_failed
      StreamGap                          stream_gap
      ProviderError                      provider_error
        ProviderNotInstalled             provider_not_installed
        ProviderAuthError                provider_auth
        ProviderQuotaExceeded            provider_quota_exceeded     retryable
        ProviderTimeout                  provider_timeout            retryable
        ProviderUnavailable              provider_unavailable        retryable
        SandboxAsleep                    sandbox_asleep
        SandboxNotFound                  sandbox_not_found
        CapabilityNotSupported           capability_not_supported
        ConfinementUnavailable           confinement_unavailable

`code` is API: it is the last part of the problem's `type` (`urn:sandbox-agent:error:<code>`).
The message is for people: what was expected, what came, what to do.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "AgentAuthRequired",
    "AgentError",
    "AgentNotInstallable",
    "AgentNotInstalled",
    "AgentOptionForbidden",
    "AgentOptionsInvalid",
    "AgentOverloaded",
    "AgentProcessExited",
    "AgentRateLimited",
    "AgentStartFailed",
    "CallbackError",
    "CapabilityNotSupported",
    "ClientClosed",
    "ConfinementUnavailable",
    "Conflict",
    "ContextOverflow",
    "CostUnknown",
    "HeadTooLarge",
    "IdempotencyKeyReused",
    "InputForbidden",
    "InstallFailed",
    "InstallForbidden",
    "IntegrityMismatch",
    "InternalError",
    "InvalidRequest",
    "LimitReached",
    "MethodNotAllowed",
    "ModeNotSupported",
    "NoSandbox",
    "NodeMissing",
    "NotAcceptable",
    "NotFound",
    "OperationNotSupported",
    "OutcomeUnknown",
    "OutputInvalid",
    "PayloadTooLarge",
    "PermissionDenied",
    "PlatformNotSupported",
    "ProviderAuthError",
    "ProviderError",
    "ProviderNotInstalled",
    "ProviderQuotaExceeded",
    "ProviderTimeout",
    "ProviderUnavailable",
    "PythonMissing",
    "QuotaExceeded",
    "RegistryAuthRequired",
    "RegistryUnavailable",
    "RequestAlreadyResolved",
    "RequestNotFound",
    "RequestTimeout",
    "SandboxAgentError",
    "SandboxAsleep",
    "SandboxNotFound",
    "ServerStartFailed",
    "ServerUnreachable",
    "SessionAlreadyExists",
    "SessionClosed",
    "SessionDamaged",
    "SessionNotFound",
    "StorageError",
    "StreamGap",
    "Timeout",
    "TokenInvalid",
    "TokenNotFound",
    "TurnNotFound",
    "Unavailable",
    "UnsupportedAgent",
    "UnsupportedMediaType",
    "ValueNotSupported",
    "WorkspaceNotTrusted",
]
"""The tree: what a front door exports with `*`."""

URN_PREFIX = "urn:sandbox-agent:error:"


class SandboxAgentError(Exception):
    """The root. `str()` and `message` are for people, the rest is for programs."""

    code: ClassVar[str] = "internal_error"
    """Does not change: the end of the `type` of a problem document."""
    title: ClassVar[str] = "Internal Error"
    http_status: ClassVar[int] = 500
    """`status` of the problem document that it is over HTTP."""
    retryable: ClassVar[bool] = False
    """The same may succeed when it is tried again."""
    details: dict[str, Any]
    """Facts, by the names of JSON (`exitCode`). They go into the problem document as they are."""

    def __init__(self, message: str, /, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = {key: value for key, value in details.items() if value is not None}


class InvalidRequest(SandboxAgentError):
    code = "invalid_request"
    title = "Invalid Request"
    http_status = 400


class UnsupportedAgent(InvalidRequest):
    code = "unsupported_agent"
    title = "Unsupported Agent"


class AgentNotInstallable(InvalidRequest):
    """Nothing here can install this agent, or this version of it; the message says what to do instead."""

    code = "agent_not_installable"
    title = "Agent Not Installable"


class ModeNotSupported(InvalidRequest):
    code = "mode_not_supported"
    title = "Mode Not Supported"


class ValueNotSupported(InvalidRequest):
    """A model, thought level or option value that the agent does not offer; `details.offered` lists those it does."""

    code = "value_not_supported"
    title = "Value Not Supported"


class AgentOptionsInvalid(InvalidRequest):
    """`agentOptions` of a session do not fit the agent. `details.problems` has `{option, problem}` for each that is
    wrong, and `details.known` what the agent takes."""

    code = "agent_options_invalid"
    title = "Agent Options Invalid"


class IdempotencyKeyReused(InvalidRequest):
    """The `Idempotency-Key` came with another request before."""

    code = "idempotency_key_reused"
    title = "Idempotency Key Reused"
    http_status = 422


class TokenInvalid(SandboxAgentError):
    code = "token_invalid"
    title = "Token Invalid"
    http_status = 401


class PermissionDenied(SandboxAgentError):
    code = "permission_denied"
    title = "Permission Denied"
    http_status = 403


class InstallForbidden(PermissionDenied):
    """The server uses only what is installed (`require_preinstalled`)."""

    code = "install_forbidden"
    title = "Install Forbidden"


class WorkspaceNotTrusted(PermissionDenied):
    """The workspace holds a file that the agent would run by itself; `details.files` names what was found.

    Remove it, or make the session with `trust_workspace`.
    """

    code = "workspace_not_trusted"
    title = "Workspace Not Trusted"


class AgentOptionForbidden(PermissionDenied):
    """The server does not take this option of the agent: `[agents.NAME] allowed_options` says which it does.
    `details` carry `option` and `allowed`."""

    code = "agent_option_forbidden"
    title = "Agent Option Forbidden"


class InputForbidden(PermissionDenied):
    """The input that an answer puts in the place of the agent's is denied by a rule or a mode of the session;
    `details.rule` names it. The request stays open."""

    code = "input_forbidden"
    title = "Input Forbidden"


class NotFound(SandboxAgentError):
    code = "not_found"
    title = "Not Found"
    http_status = 404


class AgentNotInstalled(NotFound):
    code = "agent_not_installed"
    title = "Agent Not Installed"


class SessionNotFound(NotFound):
    code = "session_not_found"
    title = "Session Not Found"


class TurnNotFound(NotFound):
    """The session has never had a turn with that id."""

    code = "turn_not_found"
    title = "Turn Not Found"


class TokenNotFound(NotFound):
    """There is no such token, any more."""

    code = "token_not_found"
    title = "Token Not Found"


class RequestNotFound(NotFound):
    """The session has never had a permission or question with that id."""

    code = "request_not_found"
    title = "Request Not Found"


class MethodNotAllowed(SandboxAgentError):
    code = "method_not_allowed"
    title = "Method Not Allowed"
    http_status = 405


class NotAcceptable(SandboxAgentError):
    code = "not_acceptable"
    title = "Not Acceptable"
    http_status = 406


class Conflict(SandboxAgentError):
    code = "conflict"
    title = "Conflict"
    http_status = 409


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


class RequestTimeout(SandboxAgentError):
    """The client did not send the whole of its request in time; `details` carry `limit` and `value`."""

    code = "request_timeout"
    title = "Request Timeout"
    http_status = 408
    retryable = True


class PayloadTooLarge(SandboxAgentError):
    code = "payload_too_large"
    title = "Payload Too Large"
    http_status = 413


class HeadTooLarge(PayloadTooLarge):
    """The line and the headers of a request; `details` carry `limit` and `value`."""

    code = "head_too_large"
    title = "Request Head Too Large"
    http_status = 431


class UnsupportedMediaType(SandboxAgentError):
    code = "unsupported_media_type"
    title = "Unsupported Media Type"
    http_status = 415


class AgentAuthRequired(SandboxAgentError):
    """The agent has no usable credentials; the message says which variable to set or what to run."""

    code = "agent_auth_required"
    title = "Agent Authentication Required"
    http_status = 424


class LimitReached(SandboxAgentError):
    """A named limit of the server; `details` carry `limit` and `value`."""

    code = "limit_reached"
    title = "Limit Reached"
    http_status = 429
    retryable = True


class InternalError(SandboxAgentError):
    """A bug of ours; the server's log has the traceback under the request id."""


class InstallFailed(SandboxAgentError):
    """An agent could not be installed; what was installed before still is. `details.agent` names it."""

    code = "install_failed"
    title = "Install Failed"


class IntegrityMismatch(InstallFailed):
    """What was downloaded is not what the registry announced; it was thrown away."""

    code = "integrity_mismatch"
    title = "Integrity Mismatch"


class NodeMissing(InstallFailed):
    """The agent is JavaScript, and there is no Node.js, or one that is too old."""

    code = "node_missing"
    title = "Node.js Missing"


class PlatformNotSupported(InstallFailed):
    """The agent has no program for this operating system, processor or C library."""

    code = "platform_not_supported"
    title = "Platform Not Supported"


class PythonMissing(InstallFailed):
    """The agent is a Python program, and there is no Python that is new enough for it."""

    code = "python_missing"
    title = "Python Missing"


class RegistryAuthRequired(InstallFailed):
    """The npm registry wants other credentials than the npm configuration holds."""

    code = "registry_auth_required"
    title = "Registry Authentication Required"


class RegistryUnavailable(InstallFailed):
    """The npm registry could not be reached, or failed, or broke off, also after trying again."""

    code = "registry_unavailable"
    title = "Registry Unavailable"
    http_status = 503
    retryable = True


class AgentError(SandboxAgentError):
    """The agent answered a request with an error; `details` carry its `code`, `message` and `data`."""

    code = "agent_error"
    title = "Agent Error"
    http_status = 502


class AgentOverloaded(AgentError):
    """The model provider has more requests than it can answer, from whomever they are."""

    code = "agent_overloaded"
    title = "Agent Overloaded"
    http_status = 503
    retryable = True


class AgentRateLimited(AgentError):
    """The model provider took no more requests of the agent for now: a rate limit."""

    code = "agent_rate_limited"
    title = "Agent Rate Limited"
    http_status = 429
    retryable = True


class AgentStartFailed(AgentError):
    code = "agent_start_failed"
    title = "Agent Start Failed"


class ContextOverflow(AgentError):
    """The conversation is longer than the model can read. Compacting the session, or another one, helps."""

    code = "context_overflow"
    title = "Context Overflow"


class QuotaExceeded(AgentError):
    """What the account or its plan allows is used up: waiting for a moment does not help."""

    code = "quota_exceeded"
    title = "Quota Exceeded"
    http_status = 429


class AgentProcessExited(AgentError):
    """The agent's process ended; `details` carry `exitCode` or `signal`, and `stderrTail`; also
    `reason: "out_of_memory"` and `memoryLimitBytes` when the kernel killed it for want of memory."""

    code = "agent_process_exited"
    title = "Agent Process Exited"


class Unavailable(SandboxAgentError):
    """The server is shutting down."""

    code = "unavailable"
    title = "Unavailable"
    http_status = 503
    retryable = True


class Timeout(SandboxAgentError, TimeoutError):
    """Also a `TimeoutError` of Python."""

    code = "timeout"
    title = "Timeout"
    http_status = 504
    retryable = True


class StorageError(SandboxAgentError):
    """The log could not be written (disk full, read-only): nothing was accepted, nothing was lost."""

    code = "storage_error"
    title = "Storage Error"
    http_status = 507
    retryable = True


class ClientClosed(SandboxAgentError, RuntimeError):
    """The client, or the block that it was opened by, has been left; its sessions live on at the server. Make another
    one. Also a `RuntimeError`."""

    code = "client_closed"
    title = "Client Closed"


class NoSandbox(SandboxAgentError, RuntimeError):
    """The client was made by `connect`, and knows no sandbox to pause, to take along or to destroy: that takes `start`,
    with `ref=` for one that exists. Also a `RuntimeError`."""

    code = "no_sandbox"
    title = "No Sandbox"


class CallbackError(SandboxAgentError):
    """A callback that was to answer the agent raised; its request was refused. `__cause__` is what it raised."""

    code = "callback_error"
    title = "Callback Error"


class OutputInvalid(SandboxAgentError):
    """The agent answered, and not with the type that was asked for, also after having been asked again.

    `details`: `problems`, `text` (the last answer), `turnId`, `stopReason`, and `limit` when one stopped the turn.
    `result` is the `PromptResult` of the last turn.
    """

    code = "output_invalid"
    title = "Output Invalid"
    result: Any = None


class ServerUnreachable(SandboxAgentError):
    code = "server_unreachable"
    title = "Server Unreachable"
    http_status = 503
    retryable = True


class ServerStartFailed(SandboxAgentError):
    """The server in the sandbox did not become healthy; `details.log` has its last lines."""

    code = "server_start_failed"
    title = "Server Start Failed"


class StreamGap(SandboxAgentError):
    """The stream skipped a seq. Never expected: it means that a proxy or a server lost events."""

    code = "stream_gap"
    title = "Stream Gap"


class ProviderError(SandboxAgentError):
    code = "provider_error"
    title = "Provider Error"
    http_status = 502


class ProviderNotInstalled(ProviderError):
    code = "provider_not_installed"
    title = "Provider Not Installed"


class ProviderAuthError(ProviderError):
    """The provider refused the credentials, or there are none; the message says which variable to set."""

    code = "provider_auth"
    title = "Provider Authentication Failed"
    http_status = 401


class ProviderQuotaExceeded(ProviderError):
    """Too many requests or sandboxes for the account."""

    code = "provider_quota_exceeded"
    title = "Provider Quota Exceeded"
    http_status = 429
    retryable = True


class ProviderTimeout(ProviderError):
    code = "provider_timeout"
    title = "Provider Timeout"
    http_status = 504
    retryable = True


class ProviderUnavailable(ProviderError):
    """The provider (or the Docker daemon) does not answer, or answers that it is down."""

    code = "provider_unavailable"
    title = "Provider Unavailable"
    http_status = 503
    retryable = True


class SandboxAsleep(ProviderError):
    """The sandbox is paused or stopped (`details.state`): resume it first."""

    code = "sandbox_asleep"
    title = "Sandbox Asleep"
    http_status = 503


class SandboxNotFound(ProviderError):
    """There is no such sandbox: it was destroyed, or its lifetime has lapsed."""

    code = "sandbox_not_found"
    title = "Sandbox Not Found"
    http_status = 404


class CapabilityNotSupported(ProviderError):
    """The provider cannot do this; `details.capability` says what."""

    code = "capability_not_supported"
    title = "Capability Not Supported"
    http_status = 501


class ConfinementUnavailable(ProviderError):
    """This machine cannot confine agents; the message says what to install or to allow."""

    code = "confinement_unavailable"
    title = "Confinement Unavailable"
    http_status = 501


def error_classes() -> dict[str, type[SandboxAgentError]]:
    """Every class of the tree by its `code`."""

    def walk(cls: type[SandboxAgentError]) -> list[type[SandboxAgentError]]:
        return [cls, *(leaf for child in cls.__subclasses__() for leaf in walk(child))]

    found: dict[str, type[SandboxAgentError]] = {}
    for cls in walk(SandboxAgentError)[1:]:
        found.setdefault(cls.code, cls)
    return found
