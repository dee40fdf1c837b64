"""Every error, in one tree.

    SandboxAgentError
      InvalidRequest                     400 invalid_request
        UnsupportedAgent                 400 unsupported_agent
        AgentNotInstallable              400 agent_not_installable
        ModeNotSupported                 400 mode_not_supported
        ValueNotSupported                400 value_not_supported
        AgentOptionsInvalid              400 agent_options_invalid
        NotAFile                         400 not_a_file
        NotADirectory                    400 not_a_directory
        ArchiveInvalid                   400 archive_invalid
        SearchPatternInvalid             400 search_pattern_invalid
        IdempotencyKeyReused             422 idempotency_key_reused
      TokenInvalid                       401 token_invalid
      PermissionDenied                   403 permission_denied
        InstallForbidden                 403 install_forbidden
        WorkspaceNotTrusted              403 workspace_not_trusted
        AgentOptionForbidden             403 agent_option_forbidden
        InputForbidden                   403 input_forbidden
        PathForbidden                    403 path_forbidden
        PortForbidden                    403 port_forbidden
      NotFound                           404 not_found
        PathNotFound                     404 path_not_found
        ProcessNotFound                  404 process_not_found
        ConfigNotFound                   404 config_not_found
        GitRefNotFound                   404 git_ref_not_found
        GitRepositoryNotFound            404 git_repository_not_found
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
        SessionOwned                     409 session_owned           retryable
        LeaseLost                        409 lease_lost
        PathExists                       409 path_exists
        ConfigDamaged                    409 config_damaged
        DirectoryNotEmpty                409 directory_not_empty
        ProcessRunning                   409 process_running
        ProcessNotRunning                409 process_not_running
        OutcomeUnknown                   409 outcome_unknown
        RequestAlreadyResolved           409 request_already_resolved
        OperationNotSupported            409 operation_not_supported
          CostUnknown                    409 cost_unknown
      RequestTimeout                     408 request_timeout         retryable
      FileChanged                        412 file_changed
      PayloadTooLarge                    413 payload_too_large
        HeadTooLarge                     431 head_too_large
      UnsupportedMediaType               415 unsupported_media_type
      RangeNotSatisfiable                416 range_not_satisfiable
      AgentAuthRequired                  424 agent_auth_required
      GitAuthRequired                    424 git_auth_required
      LimitReached                       429 limit_reached           retryable
        WatchLimitReached                429 watch_limit_reached     retryable
      InternalError                      500 internal_error
      GitNotInstalled                    500 git_not_installed
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
      FileSystemError                    502 file_system_error
      GitFailed                          502 git_failed
      ProcessStartFailed                 502 process_start_failed
      PortUnreachable                    502 port_unreachable
      Unavailable                        503 unavailable             retryable
      Timeout                            504 timeout                 retryable
      StorageError                       507 storage_error           retryable
      DiskFull                           507 disk_full

    only raised by the client
      ClientClosed                       client_closed
        PoolClosed                       pool_closed
      NoSandbox                          no_sandbox
      NotServed (a NotFound)             not_served
      CallbackError                      callback_error
      CommandFailed                      command_failed
        WorkspaceSetupFailed             workspace_setup_failed
      PoolExhausted                      pool_exhausted              retryable
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
        PortNotOpen                      port_not_open
        CapabilityNotSupported           capability_not_supported
        ConfinementUnavailable           confinement_unavailable

`code` is API: it is the last part of the problem's `type` (`urn:sandbox-agent:error:<code>`).
The message is for people: what was expected, what came, what to do.
"""

from __future__ import annotations

from sandbox_agent_core.errors.agents import (
    AgentAuthRequired,
    AgentError,
    AgentNotInstallable,
    AgentNotInstalled,
    AgentOptionForbidden,
    AgentOptionsInvalid,
    AgentOverloaded,
    AgentProcessExited,
    AgentRateLimited,
    AgentStartFailed,
    ContextOverflow,
    InstallFailed,
    InstallForbidden,
    IntegrityMismatch,
    NodeMissing,
    PlatformNotSupported,
    PythonMissing,
    QuotaExceeded,
    RegistryAuthRequired,
    RegistryUnavailable,
    UnsupportedAgent,
)
from sandbox_agent_core.errors.client import (
    CallbackError,
    ClientClosed,
    CommandFailed,
    NoSandbox,
    NotServed,
    OutputInvalid,
    PoolClosed,
    PoolExhausted,
    ServerStartFailed,
    ServerUnreachable,
    StreamGap,
    WorkspaceSetupFailed,
)
from sandbox_agent_core.errors.general import (
    Conflict,
    HeadTooLarge,
    IdempotencyKeyReused,
    InternalError,
    InvalidRequest,
    LimitReached,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    RequestTimeout,
    SandboxAgentError,
    StorageError,
    Timeout,
    TokenInvalid,
    TokenNotFound,
    Unavailable,
    UnsupportedMediaType,
    ValueNotSupported,
)
from sandbox_agent_core.errors.host import (
    ArchiveInvalid,
    ConfigDamaged,
    ConfigNotFound,
    DirectoryNotEmpty,
    DiskFull,
    FileChanged,
    FileSystemError,
    GitAuthRequired,
    GitFailed,
    GitNotInstalled,
    GitRefNotFound,
    GitRepositoryNotFound,
    NotADirectory,
    NotAFile,
    PathExists,
    PathForbidden,
    PathNotFound,
    PortForbidden,
    PortUnreachable,
    ProcessNotFound,
    ProcessNotRunning,
    ProcessRunning,
    ProcessStartFailed,
    RangeNotSatisfiable,
    SearchPatternInvalid,
    WatchLimitReached,
)
from sandbox_agent_core.errors.providers import (
    CapabilityNotSupported,
    ConfinementUnavailable,
    PortNotOpen,
    ProviderAuthError,
    ProviderError,
    ProviderNotInstalled,
    ProviderQuotaExceeded,
    ProviderTimeout,
    ProviderUnavailable,
    SandboxAsleep,
    SandboxNotFound,
)
from sandbox_agent_core.errors.sessions import (
    CostUnknown,
    InputForbidden,
    LeaseLost,
    ModeNotSupported,
    OperationNotSupported,
    OutcomeUnknown,
    RequestAlreadyResolved,
    RequestNotFound,
    SessionAlreadyExists,
    SessionClosed,
    SessionDamaged,
    SessionNotFound,
    SessionOwned,
    TurnNotFound,
    WorkspaceNotTrusted,
)

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
    "ArchiveInvalid",
    "CallbackError",
    "CapabilityNotSupported",
    "ClientClosed",
    "CommandFailed",
    "ConfigDamaged",
    "ConfigNotFound",
    "ConfinementUnavailable",
    "Conflict",
    "ContextOverflow",
    "CostUnknown",
    "DirectoryNotEmpty",
    "DiskFull",
    "FileChanged",
    "FileSystemError",
    "GitAuthRequired",
    "GitFailed",
    "GitNotInstalled",
    "GitRefNotFound",
    "GitRepositoryNotFound",
    "HeadTooLarge",
    "IdempotencyKeyReused",
    "InputForbidden",
    "InstallFailed",
    "InstallForbidden",
    "IntegrityMismatch",
    "InternalError",
    "InvalidRequest",
    "LeaseLost",
    "LimitReached",
    "MethodNotAllowed",
    "ModeNotSupported",
    "NoSandbox",
    "NodeMissing",
    "NotADirectory",
    "NotAFile",
    "NotAcceptable",
    "NotFound",
    "NotServed",
    "OperationNotSupported",
    "OutcomeUnknown",
    "OutputInvalid",
    "PathExists",
    "PathForbidden",
    "PathNotFound",
    "PayloadTooLarge",
    "PermissionDenied",
    "PlatformNotSupported",
    "PoolClosed",
    "PoolExhausted",
    "PortForbidden",
    "PortNotOpen",
    "PortUnreachable",
    "ProcessNotFound",
    "ProcessNotRunning",
    "ProcessRunning",
    "ProcessStartFailed",
    "ProviderAuthError",
    "ProviderError",
    "ProviderNotInstalled",
    "ProviderQuotaExceeded",
    "ProviderTimeout",
    "ProviderUnavailable",
    "PythonMissing",
    "QuotaExceeded",
    "RangeNotSatisfiable",
    "RegistryAuthRequired",
    "RegistryUnavailable",
    "RequestAlreadyResolved",
    "RequestNotFound",
    "RequestTimeout",
    "SandboxAgentError",
    "SandboxAsleep",
    "SandboxNotFound",
    "SearchPatternInvalid",
    "ServerStartFailed",
    "ServerUnreachable",
    "SessionAlreadyExists",
    "SessionClosed",
    "SessionDamaged",
    "SessionNotFound",
    "SessionOwned",
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
    "WatchLimitReached",
    "WorkspaceNotTrusted",
    "WorkspaceSetupFailed",
]
"""The tree: what a front door exports with `*`."""

URN_PREFIX = "urn:sandbox-agent:error:"


def error_classes() -> dict[str, type[SandboxAgentError]]:
    """Every class of the tree by its `code`."""

    def walk(cls: type[SandboxAgentError]) -> list[type[SandboxAgentError]]:
        return [cls, *(leaf for child in cls.__subclasses__() for leaf in walk(child))]

    found: dict[str, type[SandboxAgentError]] = {}
    for cls in walk(SandboxAgentError)[1:]:
        found.setdefault(cls.code, cls)
    return found
