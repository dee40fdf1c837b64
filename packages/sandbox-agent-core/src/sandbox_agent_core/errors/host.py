"""Of the sandbox as a computer: its files and processes."""

from __future__ import annotations

from sandbox_agent_core.errors.general import (
    Conflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    SandboxAgentError,
)

__all__ = [
    "ConfigDamaged",
    "ConfigNotFound",
    "NotADirectory",
    "NotAFile",
    "PathExists",
    "PathForbidden",
    "PathNotFound",
    "ProcessNotFound",
    "ProcessNotRunning",
    "ProcessRunning",
    "ProcessStartFailed",
]


class PathNotFound(NotFound):
    """There is nothing at this path; `details.path` is it."""

    code = "path_not_found"
    title = "Path Not Found"


class NotAFile(InvalidRequest):
    """A directory, device, socket or FIFO where a regular file is needed."""

    code = "not_a_file"
    title = "Not A File"


class NotADirectory(InvalidRequest):
    code = "not_a_directory"
    title = "Not A Directory"


class PathForbidden(PermissionDenied):
    """The path leads out of the root that the server keeps to (`--root`), or the server may not go there."""

    code = "path_forbidden"
    title = "Path Forbidden"


class PathExists(Conflict):
    """Something is there already, and nobody said to overwrite it."""

    code = "path_exists"
    title = "Path Exists"


class ProcessNotFound(NotFound):
    """The server has never had this process, or has forgotten it."""

    code = "process_not_found"
    title = "Process Not Found"


class ProcessNotRunning(Conflict):
    """It has ended: it takes no input, and has no terminal any more."""

    code = "process_not_running"
    title = "Process Not Running"


class ProcessRunning(Conflict):
    """It still runs: stop it first."""

    code = "process_running"
    title = "Process Running"


class ProcessStartFailed(SandboxAgentError):
    """The program could not be started: it is not there, may not be executed, or its directory is missing."""

    code = "process_start_failed"
    title = "Process Start Failed"
    http_status = 502


class ConfigNotFound(NotFound):
    """The directory's configuration has nothing of this name; `details.resource` (`mcp`, `skills`) and `details.id`."""

    code = "config_not_found"
    title = "Config Not Found"


class ConfigDamaged(Conflict):
    """A configuration file is there and cannot be read. It is left as it is until somebody mends or removes it;
    `details.path` is it."""

    code = "config_damaged"
    title = "Config Damaged"
