# Generated from `_async/client.py` by `scripts/unasync.py`: do not edit.
"""The client: sandboxes, sessions, agents."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

import httpx
from sandbox_agent_core.api.sessions import CreateSession, SessionInfo, SessionStatus
from sandbox_agent_core.errors import (
    InvalidRequest,
    NoSandbox,
    NotFound,
    SessionAlreadyExists,
    SessionNotFound,
)
from sandbox_agent_core.inspector import inspector_link, no_inspector
from sandbox_agent_core.spi.persistence import TranscriptStore
from sandbox_agent_core.spi.provider import Endpoint, SandboxProvider, SandboxRef, TokenHeader
from sandbox_agent_core.stores.opening import open_store

from sandbox_agent_client._callbacks import check_callback
from sandbox_agent_client._calls import sessions as calls
from sandbox_agent_client._calls.call import built
from sandbox_agent_client._calls.sessions import SessionOptions
from sandbox_agent_client._directories import directory
from sandbox_agent_client._endpoint import shown_url
from sandbox_agent_client._page import Page
from sandbox_agent_client._resume import RECONNECT_TIMEOUT_S
from sandbox_agent_client._spelling import no_attribute
from sandbox_agent_client._stream_choice import HEARTBEAT_S, TransportKind
from sandbox_agent_client._sync._backend import (
    Portal,
    finish,
    open_now,
)
from sandbox_agent_client._sync.config import Config
from sandbox_agent_client._sync.connection import Connection
from sandbox_agent_client._sync.files import FilesSync
from sandbox_agent_client._sync.git import GitSync
from sandbox_agent_client._sync.installation import InstallationWatch, OnInstall
from sandbox_agent_client._sync.keepalive import IDLE_TIMEOUT_S, KeepAlive, OnIdle
from sandbox_agent_client._sync.ports import PortsSync
from sandbox_agent_client._sync.preparing import Preparation
from sandbox_agent_client._sync.processes import ProcessesSync
from sandbox_agent_client._sync.sandbox import SandboxSync
from sandbox_agent_client._sync.service import Service
from sandbox_agent_client._sync.session import SessionSync
from sandbox_agent_client._sync.terminals import TerminalsSync
from sandbox_agent_client._sync.transport import DEFAULT_TIMEOUT_S, Transport
from sandbox_agent_client._sync.whereabouts import Wake
from sandbox_agent_client.batch.engine import BatchEvent, Budget, ServerPlace
from sandbox_agent_client.batch.engines import find_engine
from sandbox_agent_client.batch.plan import RETRIES, TRIAL_TIMEOUT_S, Retries
from sandbox_agent_client.batch.runner import CONCURRENCY, Agents, Tasks, carry_out, plan_of
from sandbox_agent_client.batch.summary import BatchSummary
from sandbox_agent_client.mcp import McpServers
from sandbox_agent_client.persistence.replay import new_context
from sandbox_agent_client.sandboxes.launch import (
    HEALTH_TIMEOUT_S,
    StartOptions,
    launch,
    take_over,
)
from sandbox_agent_client.sandboxes.sandbox import Launched, parse_ref
from sandbox_agent_client.tools import Tool, registration, tools_of
from sandbox_agent_client.workspace import Workspace

__all__ = ["ClientOptions", "SandboxAgentSync", "store_of"]

logger = logging.getLogger(__name__)

LOCAL = "local"
SERVER = "server"
"""In the plan of a batch: nobody knows in what sandbox it is."""
DESTROY_TIMEOUT_S = 120.0
PAGE_SESSIONS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """What `SandboxAgentSync.start` is told of the client rather than of the sandbox."""

    idle_timeout_s: float | None = IDLE_TIMEOUT_S
    on_idle: OnIdle = "lapse"
    wake: Wake = "auto"
    report: Callable[[str], Any] | None = None
    store: TranscriptStore | None = None
    closes_store: bool = False
    transport: TransportKind = "auto"
    timeout_s: float = DEFAULT_TIMEOUT_S
    reconnect_timeout_s: float | None = RECONNECT_TIMEOUT_S


class SandboxAgentSync(Service):
    """A server and its sessions. Get one with `start` or `connect`."""

    config: Config
    """MCP servers and skills of directories, for the sessions there."""
    processes: ProcessesSync
    """Commands that are run, and processes that run on."""
    fs: FilesSync
    """Files and directories of the sandbox."""
    git: GitSync
    """Repositories of the sandbox: cloned, and what has changed in them."""
    workspace: str | None
    """The directory that `start(workspace=…)` has prepared, where sessions begin that say nothing else."""
    terminal: TerminalsSync
    """Programs on terminals, to look at and to type into."""
    ports: PortsSync
    """What listens, and where it is reached."""

    def __init__(
        self,
        connection: Connection,
        *,
        sandbox: SandboxSync | None = None,
        keep: bool = True,
        keep_alive: KeepAlive | None = None,
        report: Callable[[str], Any] | None = None,
    ) -> None:
        super().__init__(connection)
        connection.is_local = sandbox is not None and sandbox.ref.provider == LOCAL
        self._sandbox = sandbox
        self._keep = keep
        self._keep_alive = keep_alive
        self.config = Config(connection)
        self.processes = ProcessesSync(connection)
        self.fs = FilesSync(connection)
        self.git = GitSync(connection)
        self.terminal = TerminalsSync(connection)
        self.ports = PortsSync(connection)
        self.workspace = None
        self._has_inspector: bool | None = None
        self._watch = partial(InstallationWatch, connection.transport, report=report)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {shown_url(self.base_url)}>"

    if not TYPE_CHECKING:  # whose checkers know what there is

        def __getattr__(self, name: str) -> Any:
            raise no_attribute(self, name)

    # -- opening and closing

    @classmethod
    def start(
        cls,
        sandbox: str | SandboxProvider | None = None,
        *,
        ref: SandboxRef | Mapping[str, Any] | str | None = None,
        keep: bool | None = None,
        env: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        agents: Sequence[str] = (),
        wheelhouse: str | PathLike[str] | None = None,
        inspector: bool = True,
        workspace: Workspace | None = None,
        idle_timeout: float | None = IDLE_TIMEOUT_S,
        on_idle: OnIdle = "lapse",
        wake: Wake = "auto",
        report: Callable[[str], Any] | None = None,
        persistence: TranscriptStore | str | PathLike[str] | None = None,
        transport: TransportKind = "auto",
        timeout: float = DEFAULT_TIMEOUT_S,
        reconnect_timeout: float | None = RECONNECT_TIMEOUT_S,
        health_timeout: float = HEALTH_TIMEOUT_S,
        **options: Any,
    ) -> SandboxAgentSync:
        """Make a sandbox with the server in it, and connect. A failure leaves nothing behind.

        Leaving the block destroys the sandbox, unless `keep`. `sandbox` is a provider or its name
        (default `"local"`); with a name, more keywords are the provider's own options. `env` is for the
        server in it, `agents` are installed in it, `wheelhouse` is a directory for one without network.
        The Inspector comes along where it is installed here and the server is brought, unless `inspector` is False.

        With `ref` (of `client.sandbox_ref`, or its JSON) a sandbox that exists is taken over. Leaving
        the block leaves it running, unless `keep=False`; so does a failure.

        `workspace` is what is to be in it before anybody works there: a repository, files, commands. Sessions begin
        in its directory.

        While a turn runs the sandbox's lifetime is extended, where it has one. Idle for `idle_timeout`
        (None: never; 0: its lifetime is left as it is), it is left to lapse, or paused with `on_idle="pause"`. The next call wakes a sandbox that
        sleeps, whoever paused it, and starts a server again that does not run; with `wake="never"` it raises
        `SandboxAsleep`, and `client.sandbox.resume()` wakes it.
        `persistence` is a store, or the URL or path of one, that sessions are copied to and made again from. The client
        closes one that it has opened itself.
        `report` is told each step, and when; later also how an agent is installed that a session waits for.
        Times are in seconds.

        Raises:
            ProviderNotInstalled: there is no such provider here.
            InvalidRequest: it does not take these options.
            SandboxNotFound: there is no sandbox of that `ref` any more.
            SandboxAsleep: it sleeps, and `wake="never"`.
            ProviderError: the sandbox could not be made.
            ServerStartFailed: the server in it did not answer.
            GitAuthRequired, GitFailed, WorkspaceSetupFailed: the workspace could not be prepared.
        """

        _check_report(report)
        store = store_of(persistence)
        if workspace is not None and ref is not None:
            raise InvalidRequest(
                "`workspace` is for a new sandbox, and `ref` names one that is there"
            )

        def open() -> SandboxAgentSync:
            began_at = time.monotonic()
            known = None if ref is None else parse_ref(ref)
            wanted = StartOptions(
                sandbox=sandbox or (known.provider if known else LOCAL),
                provider_options=options,
                env=env or {},
                labels=labels or {},
                agents=agents,
                wheelhouse=Path(wheelhouse) if wheelhouse is not None else None,
                inspector=inspector,
                keep=bool(keep),
                health_timeout_s=health_timeout,
                will_pause=on_idle == "pause",
                wakes=wake == "auto",
            )
            portal = Portal()
            try:
                launched = portal.run(
                    lambda: (
                        launch(wanted, report=report)
                        if known is None
                        else take_over(wanted, known, report=report)
                    )
                )
            except BaseException:
                portal.close()
                raise
            client = cls._of(
                launched,
                portal,
                ClientOptions(
                    idle_timeout_s=idle_timeout,
                    on_idle=on_idle,
                    wake=wake,
                    report=report,
                    store=store,
                    closes_store=store is not persistence,
                    transport=transport,
                    timeout_s=timeout,
                    reconnect_timeout_s=reconnect_timeout,
                ),
                keep=keep if keep is not None else not launched.is_ours,
            )
            if workspace is not None:
                client._prepare(workspace, report, began_at)
            return client

        return open_now(open)

    @classmethod
    def _of(
        cls, launched: Launched, portal: Portal, options: ClientOptions, *, keep: bool
    ) -> SandboxAgentSync:
        """The client of a sandbox whose server answers."""
        carrier = Transport(
            launched.endpoint,
            locate=lambda: portal.run(launched.locate),
            rouse=lambda: portal.run(launched.resume),
            can_restart=launched.can_restart,
            wake=options.wake,
            stream_kind=options.transport,
            heartbeat_s=launched.heartbeat_s,
            timeout_s=options.timeout_s,
        )
        connection = Connection(
            carrier,
            portal=portal,
            store=options.store,
            closes_store=options.closes_store,
            reconnect_timeout_s=options.reconnect_timeout_s,
        )
        box = SandboxSync(launched, portal, carrier)
        connection.sandbox = box.ref.to_json()
        keep_alive = None
        may_end = launched.capabilities.extend or launched.ends_at is not None
        if may_end or options.on_idle == "pause":
            keep_alive = KeepAlive(
                box, connection, idle_timeout_s=options.idle_timeout_s, on_idle=options.on_idle
            )
        client = cls(
            connection, sandbox=box, keep=keep, keep_alive=keep_alive, report=options.report
        )
        client._has_inspector = launched.has_inspector
        return client

    def _prepare(
        self, workspace: Workspace, report: Callable[[str], Any] | None, began_at: float
    ) -> None:
        """A failure leaves nothing behind."""
        preparation = Preparation(
            workspace,
            fs=self.fs,
            git=self.git,
            processes=self.processes,
            report=report,
            began_at=began_at,
        )
        try:
            self.workspace = preparation.run()
        except BaseException:
            if self._connection.is_local:
                preparation.undo()
            self.destroy_sandbox()
            raise

    @classmethod
    def connect(
        cls,
        base_url: str,
        *,
        token: str | None = None,
        token_header: TokenHeader | None = None,
        headers: Mapping[str, str] | None = None,
        report: Callable[[str], Any] | None = None,
        persistence: TranscriptStore | str | PathLike[str] | None = None,
        transport: TransportKind = "auto",
        http_client: httpx.Client | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        reconnect_timeout: float | None = RECONNECT_TIMEOUT_S,
    ) -> SandboxAgentSync:
        """Connect to a server that runs. Leaving the block only disconnects.

        `headers` go with every request (a gateway's own). The token is sent as `Authorization: Bearer`, or as
        `X-SandboxSync-Agent-Token` when `headers` have an `Authorization` already or `token_header` says so. An
        `http_client` that is given stays open.
        `reconnect_timeout`: how long a stream tries to come back; None for ever. Times are in seconds.
        `report` is told how an agent is installed that a session waits for.

        Raises:
            InvalidRequest: the URL or a header is none.
            ServerUnreachable: nothing answers there.
            TokenInvalid: the server wants another token, or it cannot be one.
        """
        _check_report(report)
        store = store_of(persistence)

        def open() -> SandboxAgentSync:
            carrier = Transport(
                Endpoint(
                    url=base_url, token=token, token_header=token_header, headers=headers or {}
                ),
                stream_kind=transport,
                timeout_s=timeout,
                http_client=http_client,
            )
            connection = Connection(
                carrier,
                portal=Portal(),
                store=store,
                closes_store=store is not persistence,
                reconnect_timeout_s=reconnect_timeout,
            )
            client = cls(connection, report=report)
            try:
                health = client.health()
                if health.version is None:
                    # It says this much to whoever shows no token, who is to learn here that one is needed.
                    client.list_agents()
                client._has_inspector = health.inspector
                carrier.heartbeat_s = health.heartbeat_s or HEARTBEAT_S
                logger.info("connected to %s, version %s", shown_url(base_url), health.version)
            except BaseException:
                client.close()
                raise
            return client

        return open_now(open)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._sandbox is None or self._keep:
            finish(self.close, timeout_s=DESTROY_TIMEOUT_S)
        else:
            self.destroy_sandbox()

    def close(self) -> None:
        """Disconnect. Streams end, callbacks stop; sessions and the sandbox live on."""
        if not self._connection.is_closed:
            self._disconnect()
            self._connection.portal.close()

    def destroy_sandbox(self) -> None:
        """Disconnect and remove the sandbox with everything in it; doing it twice does nothing.

        Raises:
            NoSandbox: this client neither started one nor took one over.
            ProviderError: it could not be removed; it may still cost money.
        """
        sandbox = self.sandbox
        finish(lambda: self._destroy(sandbox), timeout_s=DESTROY_TIMEOUT_S)

    def _destroy(self, sandbox: SandboxSync) -> None:
        try:
            if not self._connection.is_closed:
                self._disconnect()
        finally:
            try:
                sandbox.destroy()
            finally:
                self._connection.portal.close()

    def _disconnect(self) -> None:
        if self._keep_alive is not None:
            self._keep_alive.stop()
        self._connection.close()

    @property
    def sandbox(self) -> SandboxSync:
        """Pause, resume, extend it; its reference and its log.

        Raises:
            NoSandbox: this client is connected to a server that it did not start.
        """
        if self._sandbox is None:
            raise NoSandbox(
                "This client is connected to a server that it did not start. For its sandbox: "
                "`SandboxAgentSync.start(ref=…)`, with the `sandbox_ref` of the client that started it."
            )
        return self._sandbox

    @property
    def base_url(self) -> str:
        return self._connection.transport.endpoint.url

    @property
    def token(self) -> str | None:
        """What other clients of the same server need. A secret."""
        return self._connection.transport.endpoint.token

    @property
    def inspector_url(self) -> str:
        """Opens the Inspector of the server in a browser: see and steer everything there. A secret: the token is in its
        fragment. Where a gateway wants headers of its own, which no browser sends, `sandbox-agent ui` reaches it.

        Raises:
            NotFound: the server has no Inspector; the message says how to get it.
        """
        if self._has_inspector is False:
            raise NotFound(
                no_inspector(shown_url(self.base_url), is_ours=self._sandbox is not None)
            )
        return inspector_link(self.base_url, self.token)

    @property
    def sandbox_ref(self) -> SandboxRef | None:
        """Names the sandbox, for `SandboxAgentSync.start(ref=…)` in any process; None after `connect`."""
        return self._sandbox.ref if self._sandbox is not None else None

    # -- sessions

    def create_session(
        self,
        agent: str,
        *,
        id: str | None = None,
        on_install: OnInstall | None = None,
        **options: Unpack[SessionOptions],
    ) -> SessionSync:
        """Start an agent. `id` is yours, or one is made; the options are `SessionOptions`.

        An agent that is not there is installed first. `on_install` is told the steps and the bytes of that as
        `InstallProgress`, in place of `report`; the log `sandbox_agent_client` has them, too.

        Raises:
            AgentNotInstalled: the message says how to get it.
            AgentAuthRequired: the message says which key it wants.
            SessionAlreadyExists: the `id` is taken.
            InvalidRequest: an argument is not possible; the message names it.
        """
        members: dict[str, Any] = {**options}
        if members.get("cwd") is None:
            members["cwd"] = self.workspace
        else:
            members["cwd"] = self._directory(members["cwd"])
        if members.get("additional_directories"):
            given = members["additional_directories"]
            members["additional_directories"] = [self._directory(one) for one in given]
        tools = tools_of(members.pop("tools", None) or ())
        given = registration(tools) if tools else None
        watch = self._watch(on_install=on_install, agent=agent)
        body = built(CreateSession, agent=agent, id=id, tools=calls.as_wire(given), **members)
        session = self._create(body, watch)
        if given is not None:
            session.has_tools(given.client, tools)
        return session

    def get_session(self, id: str) -> SessionSync:
        """Raises: SessionNotFound."""
        return self._session(self._connection.call(calls.get(id)))

    def list_sessions(
        self,
        *,
        agent: str | Sequence[str] | None = None,
        status: SessionStatus | Sequence[SessionStatus] | None = None,
        title: str | None = None,
        q: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[SessionSync]:
        """The sessions of the server, newest first; also ended ones. All of them, unless there is a `limit`.

        Only those of an `agent` and a `status` (or several of them), with this in their `title`, whatever the case,
        and with these members in their `metadata`. `q` is words that a person may remember: each of them is in the
        title, the first or the last prompt, the id, the agent, the directory or the metadata (`key:value`).
        `next_cursor` of the answer is the `cursor` behind a `limit`.

        Raises:
            InvalidRequest: there is no such status, or the cursor is none.
        """
        found: list[SessionSync] = []
        while limit is None or len(found) < limit:
            wanted = PAGE_SESSIONS if limit is None else min(PAGE_SESSIONS, limit - len(found))
            call = calls.list_page(
                limit=wanted, cursor=cursor,
                agent=agent, status=status, title=title, q=q, metadata=metadata,
            )  # fmt: skip
            page = self._connection.call(call)
            found += [self._session(info) for info in page.sessions]
            cursor = page.next_cursor
            if cursor is None:
                break
        return Page(found, next_cursor=cursor)

    def resume_session(
        self,
        id: str,
        *,
        cwd: str | PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        mcp_servers: McpServers | None = None,
        tools: Sequence[Tool | Callable[..., Any]] | None = None,
        on_install: OnInstall | None = None,
    ) -> SessionSync:
        """Pick a session up again, also in a sandbox that has never seen it.

        A session that the server knows gets its agent started again, when it does not run. One that
        it does not know is made again from `persistence`, with the same id and settings, and its
        history is given to the agent as context; `cwd` is for that case. `env` and `mcp_servers` can
        hold keys, so nobody stores them: give them again, and `tools`, which are of this program. `on_install` is as that of `create_session`.

        Raises:
            SessionNotFound: neither the server nor the store knows it.
            SessionOwned: it is written to the store from another sandbox; `details` say by whom, and until when at least.
        """
        made = tools_of(tools or ())
        registered = registration(made) if made else None
        try:
            call = calls.resume(id, env=env, mcp_servers=mcp_servers, tools=registered)
            with self._watch(on_install=on_install, session_id=id):
                session = self._session(self._connection.call(call))
                if registered is not None:
                    session.has_tools(registered.client, made)
                return session
        except SessionNotFound:
            request = self._stored_request(id)
            if request is None:
                raise
        given = {
            "cwd": None if cwd is None else self._directory(cwd),
            "env": env,
            "mcp_servers": mcp_servers,
            "tools": calls.as_wire(registered),
        }
        members = request | {name: value for name, value in given.items() if value is not None}
        again = built(CreateSession, **members)
        lease = self._connection.claim(id)
        try:
            session = self._create(again, self._watch(on_install=on_install, agent=again.agent))
        except BaseException:
            self._connection.disclaim(lease)
            raise
        if registered is not None:
            session.has_tools(registered.client, made)
        return session

    def resume_or_create_session(
        self,
        id: str,
        agent: str,
        *,
        on_install: OnInstall | None = None,
        **options: Unpack[SessionOptions],
    ) -> SessionSync:
        """`resume_session`, or `create_session` when nobody knows the id."""
        try:
            return self.resume_session(
                id,
                cwd=options.get("cwd"),
                env=options.get("env"),
                mcp_servers=options.get("mcp_servers"),
                tools=options.get("tools"),
                on_install=on_install,
            )
        except SessionNotFound:
            pass
        try:
            return self.create_session(agent, id=id, on_install=on_install, **options)
        except SessionAlreadyExists:  # another client did the same just now
            return self.resume_session(id)

    def end_session(self, id: str) -> None:
        """End it and stop its agent. Its log stays readable; ending it again does nothing."""
        self._connection.end(id)

    def delete_session(self, id: str) -> None:
        """End it and delete its log, at the server and in the `persistence` store, for good.

        Raises:
            SessionNotFound: neither the server nor the store knows it.
        """
        self._connection.delete(id)

    # -- many tasks

    def batch(
        self,
        tasks: Tasks,
        *,
        agents: Agents,
        out: str | PathLike[str],
        repeats: int = 1,
        concurrency: int = CONCURRENCY,
        timeout: float = TRIAL_TIMEOUT_S,
        max_turns: int | None = None,
        max_cost: float | None = None,
        budget: Budget | None = None,
        retries: int | Retries = RETRIES,
        env: Sequence[str] = (),
        allow: bool | None = None,
        observe: Callable[[BatchEvent], None] | None = None,
    ) -> BatchSummary:
        """As `run_batch`, which explains the rest, with all trials in this sandbox: each in a session and a directory
        of its own, which is gone afterwards. Agents may see what others do there; `run_batch` gives each trial a
        sandbox.

        `allow`: whether agents get what they ask for; by default they do where a provider has made the sandbox, and
        not on this machine, nor at a server that is only connected to.
        """
        sandbox, endpoint = self._sandbox, self._connection.transport.endpoint
        place = ServerPlace(
            endpoint=endpoint,
            provider=sandbox.provider if sandbox is not None else None,
            ref=self.sandbox_ref,
        )
        is_away = sandbox is not None and not self._connection.is_local
        plan = plan_of(
            tasks,
            agents=agents,
            repeats=repeats,
            sandbox=sandbox.ref.provider if sandbox is not None else SERVER,
            share_sandbox=True,
            bounds={"timeout": timeout, "max_turns": max_turns, "max_cost": max_cost},
            retries=retries,
            env=env,
            allow=is_away if allow is None else allow,
        )
        return self._connection.portal.run(
            lambda: carry_out(
                plan,
                out,
                engine=find_engine(LOCAL, concurrency=concurrency, at=place),
                budget=budget or Budget(),
                observe=observe,
            )
        )

    # -- inside

    def _directory(self, given: str | PathLike[str]) -> str:
        return directory(given, is_local=self._connection.is_local)

    def _session(self, info: SessionInfo) -> SessionSync:
        return SessionSync(self._connection, info)

    def _create(self, request: CreateSession, watch: InstallationWatch) -> SessionSync:
        logger.info(
            "starting %s in a new session; the agent is installed first if need be", request.agent
        )
        with watch:
            info = self._connection.call(calls.create(request))
        logger.info("session %s of %s runs", info.id, info.agent)
        self._connection.record(info)
        return self._session(info)

    def _stored_request(self, id: str) -> dict[str, Any] | None:
        """The members of a CreateSession that makes a stored session again."""
        store = self._connection.store
        if store is None:
            return None
        return self._connection.portal.run(lambda: new_context(store, id))


def store_of(given: TranscriptStore | str | PathLike[str] | None) -> TranscriptStore | None:
    """Another one than was given is closed by whoever asked. Raises: InvalidRequest."""
    return open_store(given) if isinstance(given, str | PathLike) else given


def _check_report(report: Callable[[str], Any] | None) -> None:
    """Raises: TypeError."""
    if report is not None:
        check_callback(report, "report", argument="the step", may_be_async=False)
