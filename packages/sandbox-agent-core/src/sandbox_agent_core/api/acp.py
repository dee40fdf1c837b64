"""Bodies of `/v1/acp`."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from sandbox_agent_core.api.base import RequestBody, ResponseBody

__all__ = ["AcpEnvelope", "AcpServerInfo", "AcpServerList"]


class AcpEnvelope(RequestBody):
    """A JSON-RPC message of the Agent Client Protocol. Members that are not named here pass as they are."""

    model_config = ConfigDict(extra="allow")

    jsonrpc: str = "2.0"
    id: Any = Field(default=None, description="Of a request, and of the answer to one.")
    method: str | None = None
    params: Any = None
    result: Any = None
    error: Any = None


class AcpServerInfo(ResponseBody):
    server_id: str = Field(description="Chosen by the client.")
    agent: str
    created_at_ms: int


class AcpServerList(ResponseBody):
    servers: list[AcpServerInfo] = Field(description="By their ids.")
