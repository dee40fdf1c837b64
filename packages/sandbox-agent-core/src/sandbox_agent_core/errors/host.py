"""Of the sandbox as a computer: its files, processes and ports."""

from __future__ import annotations

from sandbox_agent_core.errors.general import (
    Conflict,
    InvalidRequest,
    LimitReached,
    NotFound,
    PermissionDenied,
    SandboxAgentError,
)

__all__ = [
    "ArchiveInvalid",
    "ConfigDamaged",
    "ConfigNotFound",
    "DirectoryNotEmpty",
    "DiskFull",
    "FileChanged",
    "FileSystemError",
    "GitAuthRequired",
    "GitFailed",
    "GitNotInstalled",
    "GitRefNotFound",
    "GitRepositoryNotFound",
    "NotADirectory",
    "NotAFile",
    "PathExists",
    "PathForbidden",
    "PathNotFound",
    "PortForbidden",
    "PortUnreachable",
    "ProcessNotFound",
    "ProcessNotRunning",
    "ProcessRunning",
    "ProcessStartFailed",
    "RangeNotSatisfiable",
    "SearchPatternInvalid",
    "WatchLimitReached",
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


class DirectoryNotEmpty(Conflict):
    """There is something in it, and nobody said to remove it with all that it has."""

    code = "directory_not_empty"
    title = "Directory Not Empty"


class FileChanged(SandboxAgentError):
    """It is not the file that `If-Match` names: somebody else wrote it; `details.etag` is what it is now."""

    code = "file_changed"
    title = "File Changed"
    http_status = 412


class RangeNotSatisfiable(SandboxAgentError):
    """The file ends before the `Range` begins; `details.size` is its size in bytes."""

    code = "range_not_satisfiable"
    title = "Range Not Satisfiable"
    http_status = 416


class DiskFull(SandboxAgentError):
    """Nothing was written: the disk is full, or would leave the server too little."""

    code = "disk_full"
    title = "Disk Full"
    http_status = 507


class FileSystemError(SandboxAgentError):
    """The file system failed: the message is the system's."""

    code = "file_system_error"
    title = "File System Error"
    http_status = 502


class ArchiveInvalid(InvalidRequest):
    """No tar, a damaged one, or one with what is not unpacked here; `details.member` is where it ended."""

    code = "archive_invalid"
    title = "Archive Invalid"


class SearchPatternInvalid(InvalidRequest):
    """No regular expression, or no glob."""

    code = "search_pattern_invalid"
    title = "Search Pattern Invalid"


class WatchLimitReached(LimitReached):
    """The kernel has no more watches for us (`fs.inotify.*`); the message says which setting."""

    code = "watch_limit_reached"
    title = "Watch Limit Reached"


class ProcessNotFound(NotFound):
    """The server has never had this process, or has forgotten it."""

    code = "process_not_found"
    title = "Process Not Found"
    resource = "process"


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


class GitRepositoryNotFound(NotFound):
    """Neither the directory nor one above it is the work tree of a git repository."""

    code = "git_repository_not_found"
    title = "Git Repository Not Found"


class GitRefNotFound(NotFound):
    """The repository has no such branch, tag or commit; `details.ref` is it."""

    code = "git_ref_not_found"
    title = "Git Ref Not Found"


class GitAuthRequired(SandboxAgentError):
    """The remote repository wants credentials, or refused those that were given. Some say so of a repository that
    does not exist."""

    code = "git_auth_required"
    title = "Git Auth Required"
    http_status = 424


class GitNotInstalled(SandboxAgentError):
    """There is no `git` on the PATH of the server. Install it in the sandbox."""

    code = "git_not_installed"
    title = "Git Not Installed"
    http_status = 500


class GitFailed(SandboxAgentError):
    """git ended with an error; the message has its last words."""

    code = "git_failed"
    title = "Git Failed"
    http_status = 502


class PortForbidden(PermissionDenied):
    """The server's own port, or one that its settings keep closed; `details.port` is it."""

    code = "port_forbidden"
    title = "Port Forbidden"


class PortUnreachable(SandboxAgentError):
    """Nothing listens on this port of the sandbox, or what does gave no proper answer; `details.port` is it."""

    code = "port_unreachable"
    title = "Port Unreachable"
    http_status = 502
