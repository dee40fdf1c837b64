"""Every route of sandbox-agent 0.4.2 (Rust): a request of it, what it answers here, and what is different about that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["DESKTOP", "OPENCODE", "ROUTES", "PeerRoute"]

NO_DESKTOP: Final = "404 with a sentence: there is no desktop"
NO_OPENCODE: Final = "404 with a sentence: OpenCode's own API is not served"


@dataclass(frozen=True, slots=True)
class PeerRoute:
    method: str
    path: str
    """As it is documented."""
    status: int
    """What is answered here to the request below."""
    has: Sequence[str] = ()
    """Members of the answer that clients read."""
    at: str = ""
    """Where, with `{dir}`, `{process}`: else the documented path."""
    json: Any = None
    content: bytes | None = None
    headers: Sequence[tuple[str, str]] = ()
    better: str = ""
    """What is more, or different on purpose."""
    absent: str = ""
    """Why it is not there."""

    @property
    def url(self) -> str:
        return self.at or self.path


def _gone(method: str, path: str, why: str) -> PeerRoute:
    return PeerRoute(method, path, 404, ("detail",), absent=why)


_MISSING_IS_404 = "what is not there is 404, not 400"
_STREAMED = "any size in constant memory, ranges and etags; written whole or not at all"
_WHOLE_TREE = "the whole tree of the process, not its first process alone"

SERVICE: Final = (
    PeerRoute("GET", "/", 200, ("name", "docs")),
    PeerRoute("GET", "/v1/health", 200, ("status",), better="open to who shows no token; with one also version and uptime"),
    PeerRoute("GET", "/v1/agents", 200, ("agents",), better="with where credentials were found, and what is wrong with them"),
    PeerRoute(
        "GET", "/v1/agents/{agent}", 200, ("id", "installed", "capabilities", "configOptions", "version", "path"),
        at="/v1/agents/mock?config=true",
        better="options are the agent's own, not a table; `configError` is a problem document, not a string",
    ),
    PeerRoute(
        "POST", "/v1/agents/{agent}/install", 200, ("already_installed", "artifacts"), at="/v1/agents/mock/install",
        json={}, better="progress over SSE; checksums are checked",
    ),
)  # fmt: skip
ACP: Final = (
    PeerRoute("GET", "/v1/acp", 200, ("servers",)),
    PeerRoute(
        "POST", "/v1/acp/{server_id}", 200, ("id", "jsonrpc", "result"), at="/v1/acp/gate?agent=mock",
        json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": 1}},
        better="no limit of 2 MiB; an agent that dies answers at once; sessions are in `/v1/sessions`, too",
    ),
    PeerRoute(
        "GET", "/v1/acp/{server_id}", 404, ("sessionId",), at="/v1/acp/not-yet",
        headers=[("accept", "text/event-stream")],
        better="nothing is lost however long a reader was away, over restarts of the server, too",
    ),
    PeerRoute("DELETE", "/v1/acp/{server_id}", 204, at="/v1/acp/gate", better="answers at once, and ends the whole tree"),
)  # fmt: skip
FILES: Final = (
    PeerRoute("PUT", "/v1/fs/file", 200, ("path", "bytesWritten"), at="/v1/fs/file?path={dir}/a", content=b"one", better=_STREAMED),
    PeerRoute("GET", "/v1/fs/file", 200, at="/v1/fs/file?path={dir}/a", better=f"{_STREAMED}; {_MISSING_IS_404}"),
    PeerRoute("GET", "/v1/fs/stat", 200, ("path", "entryType", "size", "modified"), at="/v1/fs/stat?path={dir}/a", better=_MISSING_IS_404),
    PeerRoute("GET", "/v1/fs/entries", 200, at="/v1/fs/entries?path={dir}", better="sorted"),
    PeerRoute("POST", "/v1/fs/mkdir", 200, ("path",), at="/v1/fs/mkdir?path={dir}/d"),
    PeerRoute(
        "POST", "/v1/fs/move", 200, ("from", "to"), json={"from": "{dir}/a", "to": "{dir}/d/b"},
        better="moving something onto itself keeps it",
    ),
    PeerRoute("DELETE", "/v1/fs/entry", 200, ("path",), at="/v1/fs/entry?path={dir}/d&recursive=true", better="dangling links go, too"),
    PeerRoute(
        "POST", "/v1/fs/upload-batch", 200, ("paths", "truncated"), at="/v1/fs/upload-batch?path={dir}",
        content=b"\0" * 1024, headers=[("content-type", "application/x-tar")],
        better="any size; nothing lands outside the folder, bombs are refused",
    ),
)  # fmt: skip
_MCP, _SKILLS = (
    "/v1/config/mcp?directory={dir}&mcpName=x",
    "/v1/config/skills?directory={dir}&skillName=x",
)
CONFIG: Final = (
    PeerRoute("PUT", "/v1/config/mcp", 204, at=_MCP, json={"type": "local", "command": "true"}, better="concurrent writes all survive; sessions in the directory get the server"),
    PeerRoute("GET", "/v1/config/mcp", 200, ("type", "command"), at=_MCP),
    PeerRoute("DELETE", "/v1/config/mcp", 204, at=_MCP),
    PeerRoute(
        "PUT", "/v1/config/skills", 204, at=_SKILLS, json={"sources": [{"type": "local", "source": "{dir}"}]},
        better="concurrent writes all survive; the skills are put where each agent looks",
    ),
    PeerRoute("GET", "/v1/config/skills", 200, ("sources",), at=_SKILLS),
    PeerRoute("DELETE", "/v1/config/skills", 204, at=_SKILLS),
)  # fmt: skip
_LIMITS = ("maxConcurrentProcesses", "defaultRunTimeoutMs", "maxRunTimeoutMs", "maxOutputBytes", "maxLogBytesPerProcess", "maxInputBytesPerRequest")  # fmt: skip
_INFO = ("id", "command", "args", "status", "owner", "tty", "interactive", "createdAtMs")
PROCESSES: Final = (
    PeerRoute("GET", "/v1/processes/config", 200, _LIMITS),
    PeerRoute("POST", "/v1/processes/config", 200, _LIMITS, json={
        "maxConcurrentProcesses": 64, "defaultRunTimeoutMs": 30000, "maxRunTimeoutMs": 300000, "maxOutputBytes": 1048576,
        "maxLogBytesPerProcess": 10485760, "maxInputBytesPerRequest": 65536,
    }),
    PeerRoute("POST", "/v1/processes/run", 200, ("exitCode", "stdout", "stderr", "timedOut", "durationMs"), json={"command": "true"}, better=f"a time-out ends {_WHOLE_TREE}"),
    PeerRoute("POST", "/v1/processes", 200, _INFO, json={"command": "cat", "tty": True, "interactive": True}),
    PeerRoute("GET", "/v1/processes", 200, ("processes",)),
    PeerRoute("GET", "/v1/processes/{id}", 200, _INFO, at="/v1/processes/{process}"),
    PeerRoute("POST", "/v1/processes/{id}/input", 200, ("bytesWritten",), at="/v1/processes/{process}/input", json={"data": "aGk="}),
    PeerRoute("GET", "/v1/processes/{id}/logs", 200, ("entries", "processId"), at="/v1/processes/{process}/logs", better="kept on disk: readable after a restart, followed from a cursor"),
    PeerRoute("POST", "/v1/processes/{id}/terminal/resize", 200, ("cols", "rows"), at="/v1/processes/{process}/terminal/resize", json={"cols": 100, "rows": 30}, better="a size of nothing is refused"),
    PeerRoute("GET", "/v1/processes/{id}/terminal/ws", 400, ("detail",), at="/v1/processes/{process}/terminal/ws", better="a WebSocket; what was shown before is shown again to who attaches"),
    PeerRoute("POST", "/v1/processes/{id}/stop", 200, _INFO, at="/v1/processes/{process}/stop", better=f"stops {_WHOLE_TREE}"),
    PeerRoute("POST", "/v1/processes/{id}/kill", 200, _INFO, at="/v1/processes/{process}/kill?waitMs=5000", better=f"kills {_WHOLE_TREE}"),
    PeerRoute("DELETE", "/v1/processes/{id}", 204, at="/v1/processes/{process}"),
)  # fmt: skip
DESKTOP: Final = tuple(
    _gone(*line.split(), NO_DESKTOP)
    for line in [
        "",
        "    GET /v1/desktop/status",
        "    POST /v1/desktop/start",
        "    POST /v1/desktop/stop",
        "    GET /v1/desktop/screenshot",
        "    GET /v1/desktop/screenshot/region",
        "    GET /v1/desktop/mouse/position",
        "    POST /v1/desktop/mouse/move",
        "    POST /v1/desktop/mouse/click",
        "    POST /v1/desktop/mouse/down",
        "    POST /v1/desktop/mouse/up",
        "    POST /v1/desktop/mouse/drag",
        "    POST /v1/desktop/mouse/scroll",
        "    POST /v1/desktop/keyboard/type",
        "    POST /v1/desktop/keyboard/press",
        "    POST /v1/desktop/keyboard/down",
        "    POST /v1/desktop/keyboard/up",
        "    GET /v1/desktop/display/info",
        "    GET /v1/desktop/windows",
        "    GET /v1/desktop/windows/focused",
        "    POST /v1/desktop/windows/{id}/focus",
        "    POST /v1/desktop/windows/{id}/move",
        "    POST /v1/desktop/windows/{id}/resize",
        "    GET /v1/desktop/clipboard",
        "    POST /v1/desktop/clipboard",
        "    POST /v1/desktop/launch",
        "    POST /v1/desktop/open",
        "    POST /v1/desktop/recording/start",
        "    POST /v1/desktop/recording/stop",
        "    GET /v1/desktop/recordings",
        "    GET /v1/desktop/recordings/{id}",
        "    DELETE /v1/desktop/recordings/{id}",
        "    GET /v1/desktop/recordings/{id}/download",
        "    POST /v1/desktop/stream/start",
        "    POST /v1/desktop/stream/stop",
        "    GET /v1/desktop/stream/status",
        "    GET /v1/desktop/stream/signaling",
        "    ",
    ]
    if line.strip()
)
OPENCODE: Final = tuple(
    _gone("GET", path, NO_OPENCODE)
    for path in ("/opencode/global/health", "/opencode/session", "/opencode/event")
)
PAGES: Final = (
    PeerRoute(
        "GET",
        "/ui/",
        200,
        better="another web app: the Inspector, when it is installed (`sandbox-agent-server[inspector]`)",
    ),
)

ROUTES: Final = (
    *SERVICE, *PAGES, *ACP, *FILES, *CONFIG, *PROCESSES, *DESKTOP, *OPENCODE,
)  # fmt: skip
