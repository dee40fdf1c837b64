"""The only place that wires the parts together."""

from __future__ import annotations

import os

from sandbox_agent_core.errors import StorageError
from sandbox_agent_core.inspector import FOLDER, find_inspector
from sandbox_agent_core.stores.opening import open_store
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from sandbox_agent_server import __version__
from sandbox_agent_server.acp.servers import AcpServers
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.agents.runner.factory import AgentFactory
from sandbox_agent_server.agents.runner.inventory import AgentInventory
from sandbox_agent_server.agents.runner.probe import AgentProbe
from sandbox_agent_server.host.config.store import ConfigStore
from sandbox_agent_server.host.files.files import Files
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.host.git.service import GitService
from sandbox_agent_server.host.ports.rules import PortRules
from sandbox_agent_server.host.ports.watch import PortWatch
from sandbox_agent_server.host.processes.registry import Processes
from sandbox_agent_server.http.access_log import AccessLog
from sandbox_agent_server.http.acp_connections import AcpConnections
from sandbox_agent_server.http.callers import TokenCalls
from sandbox_agent_server.http.errors import exception_handlers
from sandbox_agent_server.http.guard import Guard
from sandbox_agent_server.http.health import HealthFirst
from sandbox_agent_server.http.idempotency import OnceOnly
from sandbox_agent_server.http.inspector import Inspector, InspectorAddresses
from sandbox_agent_server.http.large_answer import ByteBudget
from sandbox_agent_server.http.openapi import describe
from sandbox_agent_server.http.port_origins import PortOrigins
from sandbox_agent_server.http.port_proxy import PortProxy
from sandbox_agent_server.http.route import ApiRoute, ApiWebSocket, json_response
from sandbox_agent_server.http.routes import (
    acp,
    acp_remote,
    config,
    events,
    feed,
    files,
    git,
    host_tools,
    installing,
    long_work,
    ports,
    processes,
    requests,
    service,
    terminals,
    tickets,
    tokens,
)
from sandbox_agent_server.http.routes import sessions as session_routes
from sandbox_agent_server.http.routes import turns as turn_routes
from sandbox_agent_server.http.services import Services
from sandbox_agent_server.http.static_paths import StaticPaths
from sandbox_agent_server.http.stream import StreamCounter
from sandbox_agent_server.http.tickets import Tickets
from sandbox_agent_server.http.tool_door import LoopbackDoor
from sandbox_agent_server.http.transfers import Transfers
from sandbox_agent_server.install.added import AddedAgents
from sandbox_agent_server.install.agents_dir import AgentsDir
from sandbox_agent_server.install.installer import create_installer
from sandbox_agent_server.install.jobs import InstallJobs
from sandbox_agent_server.runtime.ledger import ProcessLedger
from sandbox_agent_server.runtime.marker import PROCESS_MARKER, directory_marker
from sandbox_agent_server.sessions.manager import SessionManager
from sandbox_agent_server.sessions.turn_index import TurnIndex
from sandbox_agent_server.settings import Settings
from sandbox_agent_server.store.index import SessionIndex
from sandbox_agent_server.store.tokens import TokenStore

__all__ = ["create_app"]

ROUTES: list[ApiRoute] = [
    *service.routes,
    *files.routes,
    *installing.routes,
    *session_routes.routes,
    *turn_routes.routes,
    *long_work.routes,
    *events.routes,
    *feed.routes,
    *requests.routes,
    *git.routes,
    *tokens.routes,
    *tickets.routes,
    *ports.routes,
    *terminals.routes,
    *config.routes,
    *host_tools.routes,
    *acp.routes,
    *processes.routes,
    *acp_remote.routes,
]


WEBSOCKETS: list[ApiWebSocket] = [
    *events.websocket_routes,
    *feed.websocket_routes,
    *acp_remote.websocket_routes,
    *terminals.websocket_routes,
]


def create_app(settings: Settings, index: SessionIndex, *, token: str | None) -> Starlette:
    """The ASGI application. `app.state.services.sessions` is recovered and shut down by the caller.

    Raises: StorageError; InvalidRequest: there is no such store.
    """
    try:
        marker = directory_marker(settings.data_dir)
    except OSError as exc:
        raise StorageError(f"cannot write to {str(settings.data_dir)!r}: {exc}") from exc
    added = AddedAgents(AgentsDir(settings.agents_dir))
    catalog = Catalog(settings.agents, added=added.commands)
    factory = AgentFactory(settings, catalog, process_marker=marker)
    installs = InstallJobs(
        create_installer(settings, os.environ),
        factory.find,
        # Without the network there is still a local source.
        installs_by_itself=settings.auto_install
        and (settings.agents_source is not None or not settings.require_preinstalled),
    )
    ledger = ProcessLedger(index, marker=marker)
    paths = Paths(settings.root)
    config_store = ConfigStore(
        settings.data_dir, paths=paths, max_bytes=settings.limits.max_config_bytes
    )
    git_service = GitService(
        {**os.environ, PROCESS_MARKER: marker},
        settings.limits,
        paths=paths,
        data_dir=settings.data_dir,
    )
    sessions = SessionManager(
        index,
        settings,
        factory,
        installs,
        ledger,
        config_store,
        paths,
        LoopbackDoor(settings.limits),
        version=__version__,
        find_work_tree=git_service.files_of,
        store=None if settings.store is None else open_store(settings.store.get_secret_value()),
    )
    probe = AgentProbe(
        factory,
        timeout_s=settings.limits.agent_start_timeout_s,
        client_version=__version__,
        on_process=lambda pid: ledger.note(pid, "probe"),
    )
    token_store = TokenStore(settings.data_dir, max_tokens=settings.limits.max_tokens)
    calls = TokenCalls()
    limits = settings.limits
    office = Tickets(token_store.get, visit_s=limits.port_visit_s)
    replies = index.replies(
        keep_s=limits.idempotency_keep_s,
        max_replies=limits.max_idempotency_keys,
        max_bytes=limits.max_idempotency_bytes,
    )
    agents = AgentInventory(factory, probe)
    inspector_files = find_inspector()
    services = Services(
        settings=settings,
        agents=agents,
        installs=installs,
        sessions=sessions,
        turns=TurnIndex(),
        git=git_service,
        config=config_store,
        acp=AcpServers(settings, factory, sessions, ledger),
        once=OnceOnly(replies),
        streams=StreamCounter(settings.limits.max_subscribers),
        answers=ByteBudget(settings.limits.max_answer_bytes),
        tokens=token_store,
        token_calls=calls,
        paths=paths,
        files=Files(paths, limits),
        transfers=Transfers(limits.max_transfers),
        processes=Processes(settings, paths, ledger, marker=marker),
        tickets=office,
        port_proxy=PortProxy(limits),
        port_rules=PortRules(allow=settings.allow_ports, deny=settings.deny_ports),
        port_watch=PortWatch(every_s=limits.port_look_s),
        remote_acp=AcpConnections(
            sessions, agents, limits, version=__version__, with_draft=settings.acp_v2
        ),
        version=__version__,
        has_inspector=inspector_files is not None,
    )

    async def openapi(_request: Request) -> Response:
        return json_response(
            describe([*routes, *ports.described], version=__version__, websockets=WEBSOCKETS)
        )

    routes = [
        *ROUTES,
        ApiRoute(
            method="GET",
            path="/openapi.json",
            scope="read",
            handler=openapi,
            tag="service",
            summary="This description.",
        ),
    ]
    served: list[BaseRoute] = [
        *(route.to_starlette() for route in routes),
        *WEBSOCKETS,
        *ports.proxy_routes,
        *Inspector(inspector_files).routes,
    ]
    app = Starlette(
        routes=[StaticPaths(served), *served],
        exception_handlers=exception_handlers(),
        middleware=[
            Middleware(PortOrigins),
            Middleware(
                HealthFirst,
                token=token,
                bound_host=settings.host,
                allow_hosts=settings.allow_hosts,
                health=services.health,
            ),
            Middleware(AccessLog),
            Middleware(InspectorAddresses),
            Middleware(
                Guard,
                token=token,
                bound_host=settings.host,
                allow_hosts=settings.allow_hosts,
                cors_origins=settings.cors_origins,
                public=[FOLDER],
                # Without its slash it is a redirect.
                open_paths=[*(route.path for route in routes if route.is_open), FOLDER.rstrip("/")],
                find_token=token_store.find,
                calls=calls,
                tickets=office,
            ),
        ],
    )
    app.router.redirect_slashes = False
    app.state.services = services
    return app
