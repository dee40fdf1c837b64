"""Opens a session on OpenCode's server: its events first, then everything that it offers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.frames.jsonrpc import AUTH_REQUIRED, RESOURCE_NOT_FOUND
from sandbox_agent_core.lenient import as_dict, compact

from sandbox_agent_server.agents.native.mcp import SLOW_S
from sandbox_agent_server.agents.native.refusals import InvalidParams, Refused
from sandbox_agent_server.agents.native.session_params import McpServer, SessionParams
from sandbox_agent_server.agents.native.translator import Native
from sandbox_agent_server.agents.opencode.long_work import read_history
from sandbox_agent_server.agents.opencode.offers import Offers
from sandbox_agent_server.agents.opencode.variant import Variant
from sandbox_agent_server.runtime.http_peer import HttpPeer, PeerError, PeerGone, PeerStream
from sandbox_agent_server.runtime.tasks import TaskOwner

__all__ = ["Fork", "Opened", "open_session", "read_session_id"]

_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Fork:
    session_id: str
    before_prompt: int | None
    """Without it the fork has all of the session."""

    @classmethod
    def read(cls, params: Mapping[str, Any]) -> Fork:
        """Raises: InvalidParams."""
        before = as_dict(params.get("_meta")).get("beforePrompt")
        if before is not None and (not isinstance(before, int) or before < 0):
            raise InvalidParams(f"`beforePrompt` is the number of a prompt, not {before!r}")
        return cls(read_session_id(params.get("sessionId")), before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    session: Native
    offers: Offers
    events: PeerStream
    mcp_servers: list[Native]
    """`{name, status, error?}` of those of the session."""
    joining: list[asyncio.Task[Native]]
    """Those of them that are slow: what will have become of them."""


def read_session_id(value: Any) -> str:
    """Raises: InvalidParams."""
    # It becomes part of a path of the API.
    if not isinstance(value, str) or not value.startswith("ses_") or not value.isidentifier():
        raise InvalidParams(f"`sessionId` must be as `session/new` gave it, not {value!r}")
    return value


async def open_session(
    peer: HttpPeer,
    params: SessionParams,
    variant: Variant,
    tasks: TaskOwner,
    *,
    permission: Sequence[Native] = (),
    fork: Fork | None = None,
) -> Opened:
    """`permission`: rules above all others. `fork`: of what; then none is resumed.

    Raises: Refused, PeerError, PeerGone.
    """
    # Before the session: nothing that happens to it is missed.
    events = await peer.stream("/event")
    try:
        servers = {server.name: server for server in params.mcp_servers}
        added = [tasks.spawn(_add_server(peer, one), name="mcp") for one in servers.values()]
        agents, providers, commands, config = await asyncio.gather(
            *(peer.get(path) for path in ("/agent", "/config/providers", "/command", "/config"))
        )
        if added:
            # OpenCode waits 30 s for one that hangs; the session does not.
            await asyncio.wait(added, timeout=SLOW_S)
        told = [
            task.result() if task.done() else {"name": name, "status": "slow"}
            for name, task in zip(servers, added, strict=True)
        ]
        offers = Offers(
            agents=agents,
            providers=providers,
            commands=commands,
            config=config,
            default_agent=variant.default_agent,
        )
        if not offers.has_models:
            raise Refused(AUTH_REQUIRED, f"it has no model. {variant.login_hint}")
        if fork is not None:
            session = await _forked(peer, fork, permission)
        else:
            session = await _session(peer, params.resumed_id, permission)
    except BaseException:
        await events.close()
        raise
    return Opened(
        session=as_dict(session),
        offers=offers,
        events=events,
        mcp_servers=told,
        joining=[task for task in added if not task.done()],
    )


async def _session(peer: HttpPeer, resumed_id: str | None, permission: Sequence[Native]) -> Any:
    if resumed_id is None:
        return await peer.post("/session", {"permission": list(permission)} if permission else {})
    with _as_not_found():
        return await peer.get(f"/session/{resumed_id}")


async def _forked(peer: HttpPeer, fork: Fork, permission: Sequence[Native]) -> Any:
    body: Native = {}
    with _as_not_found():
        if fork.before_prompt is not None:
            history = await read_history(peer, fork.session_id)
            if fork.before_prompt != len(history.prompts):
                body["messageID"] = history.prompt(fork.before_prompt)
        session = as_dict(await peer.post(f"/session/{fork.session_id}/fork", body))
    if permission:
        path = f"/session/{read_session_id(session.get('id'))}"
        return await peer.call("PATCH", path, {"permission": list(permission)})
    return session


@contextmanager
def _as_not_found() -> Iterator[None]:
    try:
        yield
    except PeerError as exc:
        if exc.status == _NOT_FOUND:
            raise Refused(RESOURCE_NOT_FOUND, exc.message) from exc
        raise


async def _add_server(peer: HttpPeer, server: McpServer) -> Native:
    """What became of it."""
    name = server.name
    try:
        answer = await peer.post("/mcp", {"name": name, "config": _config(server)})
    except (PeerError, PeerGone) as exc:
        return {"name": name, "status": "failed", "error": str(exc)}
    return {"status": "failed", **as_dict(as_dict(answer).get(name)), "name": name}


def _config(server: McpServer) -> Native:
    if server.transport == "stdio":
        command = [server.command, *server.args]
        more = compact(timeout=server.timeout_ms)
        return {"type": "local", "command": command, "environment": dict(server.env), **more}
    return {
        "type": "remote",
        "url": server.url,
        "headers": dict(server.headers),
        # Without a person in front of a browser there is nothing to log in with.
        "oauth": dict(server.oauth) if server.oauth else False,
        **compact(timeout=server.timeout_ms),
    }
