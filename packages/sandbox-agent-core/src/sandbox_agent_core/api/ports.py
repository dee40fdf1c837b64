"""`/v1/ports`: what listens in the sandbox."""

from __future__ import annotations

from pydantic import Field

from sandbox_agent_core.api.base import ResponseBody

__all__ = ["ListeningPort", "PortList"]


class ListeningPort(ResponseBody):
    port: int
    address: str = Field(
        description="Where it listens: `127.0.0.1`, `0.0.0.0` (everywhere), `::1`, …"
    )
    pid: int | None = Field(
        default=None, description="Of the process that listens, where the server may see it."
    )
    program: str | None = Field(default=None, description="Its name.")
    is_server: bool = Field(default=False, description="It is this server's own.")


class PortList(ResponseBody):
    ports: list[ListeningPort] = Field(description="By their numbers.")
