"""`/v1/ports` and `/v1/tickets`."""

from __future__ import annotations

from sandbox_agent_core.api.ports import PortList
from sandbox_agent_core.api.tickets import CreateTicket, TicketCreated

from sandbox_agent_client._calls.call import Call, body, built, path, reads

__all__ = ["list_all", "port_ticket"]


def list_all() -> Call[PortList]:
    return Call(method="GET", path=path("ports"), parse=reads(PortList))


def port_ticket(port: int) -> Call[TicketCreated]:
    """Raises: InvalidRequest."""
    request = built(CreateTicket, for_="port", port=port)
    return Call(method="POST", path=path("tickets"), body=body(request), parse=reads(TicketCreated))
