"""`/v1/tickets`: for browsers, which can send no header with a WebSocket or an address."""

from __future__ import annotations

from sandbox_agent_core.api.tickets import CreateTicket, TicketCreated
from sandbox_agent_core.errors import Conflict, PortForbidden, ProcessNotFound
from sandbox_agent_core.frames.entry import rfc3339
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.body import read_body
from sandbox_agent_server.http.callers import token_of
from sandbox_agent_server.http.port_headers import prefix_of
from sandbox_agent_server.http.port_origins import origin_of
from sandbox_agent_server.http.route import ApiRoute, json_response
from sandbox_agent_server.http.services import services_of
from sandbox_agent_server.http.tickets import TICKET, Resource

__all__ = ["routes"]


async def _create(request: Request) -> Response:
    services = services_of(request)
    body = await read_body(request, CreateTicket, services.settings.limits)
    if body.port is not None:
        server = request.scope.get("server")
        services.port_rules.check(body.port, own=server[1] if server else None)
        resource, path = Resource("port", str(body.port)), prefix_of(body.port) + "/"
        origin = origin_of(body.port, request.scope)
    else:
        process = services.processes.get(body.id or "")
        process.check_terminal()
        resource = Resource("terminal", process.id)
        path, origin = f"/v1/processes/{process.id}/terminal/ws", None
    text, expires_s = services.tickets.ticket(resource, ttl_s=body.ttl, token=token_of(request))
    made = TicketCreated(
        ticket=text,
        path=f"{path}?{TICKET}={text}",
        origin=origin,
        expires_at=rfc3339(round(expires_s * 1000)),
    )
    return json_response(made, 201)


routes = [
    ApiRoute(
        method="POST", path="/v1/tickets", handler=_create, tag="tickets", scope="host", status=201,
        summary="Make a ticket for one terminal or one port, good for minutes, for a browser.",
        body=CreateTicket, result=TicketCreated, errors=[PortForbidden, ProcessNotFound, Conflict],
    ),
]  # fmt: skip
