"""Opens a session on OpenCode's server: its events first, then everything that it offers."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, Self

from sandbox_agent_core.errors import PayloadTooLarge
from sandbox_agent_core.wire.sse import SseDecoder

from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.session_params import McpServer, SessionParams
from sandbox_agent_server.agents.opencode.native import Native, as_dict, text_in
from sandbox_agent_server.agents.opencode.offers import Offers
from sandbox_agent_server.agents.opencode.variant import Variant
from sandbox_agent_server.runtime.http_peer import HttpPeer, PeerError, PeerStream

__all__ = ["EventStream", "NotLoggedIn", "Opened", "open_session", "read_session_id"]

logger = logging.getLogger(__name__)


class NotLoggedIn(Exception):
    """There is no model that it could use."""


class EventStream:
    """Batches of events, the JSON of each; an async iterator that ends with the server. Close it."""

    def __init__(self, stream: PeerStream, *, max_event_bytes: int) -> None:
        self._stream = stream
        self._decoder = SseDecoder(max_event_bytes=max_event_bytes)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[bytes]:
        while True:
            chunk = await anext(self._stream)
            try:
                events = self._decoder.feed(chunk)
            except PayloadTooLarge as exc:
                logger.error("OpenCode's events end here: %s", exc.message)
                raise StopAsyncIteration from None
            if events:
                return [event.data.encode() for event in events]

    async def close(self) -> None:
        await self._stream.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    session: Native
    offers: Offers
    events: EventStream
    failed_servers: dict[str, str]
    """MCP servers that do not work, and why."""


async def open_session(
    peer: HttpPeer, params: SessionParams, variant: Variant, *, max_event_bytes: int
) -> Opened:
    """Raises: NotLoggedIn, PeerError (status 404: there is no session to resume), PeerGone."""
    # Before the session: nothing that happens to it is missed.
    events = EventStream(await peer.stream("/event"), max_event_bytes=max_event_bytes)
    try:
        servers = await asyncio.gather(
            *(_add_server(peer, server.name, _config(server)) for server in params.mcp_servers)
        )
        agents, providers, commands, config = await asyncio.gather(
            *(peer.get(path) for path in ("/agent", "/config/providers", "/command", "/config"))
        )
        offers = Offers(
            agents=agents,
            providers=providers,
            commands=commands,
            config=config,
            default_agent=variant.default_agent,
        )
        if not offers.has_models:
            raise NotLoggedIn
        if params.resumed_id is not None:
            session = await peer.get(f"/session/{params.resumed_id}")
        else:
            session = await peer.post("/session", {})
    except BaseException:
        await events.close()
        raise
    failed = {name: why for name, why in servers if why is not None}
    return Opened(session=as_dict(session), offers=offers, events=events, failed_servers=failed)


async def _add_server(peer: HttpPeer, name: str, config: Native) -> tuple[str, str | None]:
    try:
        answer: Any = await peer.post("/mcp", {"name": name, "config": config})
    except PeerError as exc:
        return name, exc.message
    status = as_dict(as_dict(answer).get(name))
    if status.get("status") == "connected":
        return name, None
    return name, text_in(status, "error") or text_in(status, "status") or "it did not connect"


def _config(server: McpServer) -> Native:
    """In OpenCode's own form; it holds keys."""
    if server.transport == "stdio":
        command = [server.command, *server.args]
        return {"type": "local", "command": command, "environment": dict(server.env)}
    return {
        "type": "remote",
        "url": server.url,
        "headers": dict(server.headers),
        # Without a person in front of a browser there is nothing to log in with.
        "oauth": False,
    }


def read_session_id(value: Any) -> str:
    """It becomes part of a path of the API. Raises: InvalidParams."""
    if not isinstance(value, str) or not value.startswith("ses_") or not value.isidentifier():
        raise InvalidParams(f"`sessionId` must be as `session/new` gave it, not {value!r}")
    return value
