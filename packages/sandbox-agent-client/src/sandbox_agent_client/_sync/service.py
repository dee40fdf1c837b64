# Generated from `_async/service.py` by `scripts/unasync.py`: do not edit.
"""What a client asks of its server beside single sessions: agents, tokens, and what happens in all sessions."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from sandbox_agent_core.api.agents import AgentInfo, Health, InstallProgress, InstallResult
from sandbox_agent_core.api.requests import RequestInfo, RequestKind, Resolution
from sandbox_agent_core.api.sessions import SessionInfo
from sandbox_agent_core.api.tokens import CreateToken, TokenCreated, TokenInfo, TokenScope
from sandbox_agent_core.errors import ServerUnreachable, SessionNotFound, Timeout

from sandbox_agent_client._callbacks import check_callback
from sandbox_agent_client._calls import agents as agent_calls
from sandbox_agent_client._calls import events as event_calls
from sandbox_agent_client._calls import requests as request_calls
from sandbox_agent_client._calls import tokens as token_calls
from sandbox_agent_client._calls.call import built
from sandbox_agent_client._sync._backend import CALLBACKS_MAY_BE_ASYNC, settle
from sandbox_agent_client._sync.archiving import Archiving
from sandbox_agent_client._sync.connection import Connection
from sandbox_agent_client._sync.event_stream import EventStreamSync
from sandbox_agent_client._sync.requests import AnyRequest, request_of

__all__ = ["Service"]

REQUESTED = ("permission.requested", "question.requested", "hook.requested")


class Service:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -- all sessions

    def events(
        self,
        *,
        after: str | None = None,
        agent: str | Sequence[str] | None = None,
        types: str | Sequence[str] | None = None,
        deltas: bool = True,
        deltas_of: str | Sequence[str] | None = None,
    ) -> EventStreamSync:
        """What happens in all sessions, live and without an end, also in those that are made meanwhile.

            for event in client.events(types=["turn.ended", "permission.*"], deltas=False):
                print(event.session_id, event.type)

        Reconnects by itself: every event once, and those of one session in order. `after` is the `cursor` of an
        earlier stream, `"0"` for all that is kept; default: what comes from the first step of the loop on
        (`event_cursor` says where that is before). Only sessions of an `agent`, only events of these `types`
        (`turn.*` is all that begin so); `deltas=False` leaves out what is repeated whole later,
        `deltas_of` keeps that of the sessions with these ids: those that somebody looks at.

        Raises:
            InvalidRequest: in the loop: there is no such type, or the cursor is none of this server.
            ServerUnreachable: in the loop: it did not come back within `reconnect_timeout`.
        """
        source = event_calls.all_events(
            agent=agent, types=types, deltas=deltas, deltas_of=deltas_of
        )
        return EventStreamSync(self._connection, source, after)

    def event_cursor(self) -> str:
        """Where `events` is now: given to it as `after`, nothing is missed that happens from now on."""
        page = self._connection.call(event_calls.all_events().page(None, limit=1))
        return str(page.next_cursor)

    def requests(
        self,
        *,
        kind: RequestKind | Sequence[RequestKind] | None = None,
        agent: str | Sequence[str] | None = None,
    ) -> list[AnyRequest]:
        """All that waits for a person, in all sessions, oldest first. `session_id` of one says whose agent asks;
        its methods answer: `allow()`, `deny()`, `answer({…})`, … `kind` is `permission`, `question` or `hook`."""
        found: list[AnyRequest] = []
        cursor: str | None = None
        while True:
            call = request_calls.list_all_requests(kind=kind, agent=agent, cursor=cursor)
            page = self._connection.call(call)
            found += [self._request(info) for info in page.requests]
            cursor = page.next_cursor
            if cursor is None:
                return found

    def watch_requests(
        self,
        *,
        kind: RequestKind | Sequence[RequestKind] | None = None,
        agent: str | Sequence[str] | None = None,
    ) -> Generator[AnyRequest, None, None]:
        """As `requests`, and then each that comes, live and without an end; each once.

            for request in client.watch_requests(kind="permission"):
                request.allow_once()

        What a policy or somebody else has answered meanwhile is left out. Raises what `events` raises.
        """
        after = self.event_cursor()
        given: set[tuple[str, str]] = set()
        for request in self.requests(kind=kind, agent=agent):
            given.add((request.session_id, request.id))
            yield request
        stream = self.events(after=after, types=REQUESTED, agent=agent, deltas=False)
        with closing(stream.entries()) as entries:
            for entry in entries:
                for request in self._pending(entry.session_id):
                    place = (request.session_id, request.id)
                    if place not in given and (kind is None or request.info.kind in kind):
                        given.add(place)
                        yield request

    def _pending(self, session_id: str) -> list[AnyRequest]:
        """None of a session that was deleted meanwhile."""
        try:
            page = self._connection.call(request_calls.list_requests(session_id))
        except SessionNotFound:
            return []
        return [self._request(info) for info in page.requests]

    def _request(self, info: RequestInfo) -> AnyRequest:
        return request_of(info, partial(self._respond, info.session_id or ""))

    def _respond(self, session_id: str, request_id: str, **members: Any) -> Resolution:
        return self._connection.call(request_calls.answer(session_id, request_id, **members))

    def store_sessions(
        self,
        *,
        live: bool = True,
        on_stored: Callable[[SessionInfo, int], object] | None = None,
    ) -> None:
        """Copy all sessions of the server to `persistence`, whoever works with them: first what its store does not have
        yet, then what comes, also of sessions that are made meanwhile, without an end. `live=False`: only the first.

        Several clients may do so with one server and one store: each session is written by one of them. A store that
        fails later is tried again; nothing is lost, since the server has it. `on_stored` is told, after each batch, of
        which session it was and how many entries.

        Raises:
            InvalidRequest: the client has no `persistence`.
            StorageError: the store cannot be opened; with `live=False` also: something could not be stored.
            SandboxAsleep: the sandbox sleeps, and is not to be woken.
            SandboxNotFound: it is gone.
            ServerUnreachable: it did not come back within `reconnect_timeout`.
        """
        Archiving(self._connection, on_stored=on_stored).run(live=live)

    # -- the server

    def health(self) -> Health:
        return self._connection.call(agent_calls.health())

    def list_agents(self, *, config: bool = False, fresh: bool = False) -> list[AgentInfo]:
        """Every agent that the server knows, installed or not.

        `config` also asks each installed one for its modes, models and options, by starting it once; the
        server remembers the answers for ten minutes, unless `fresh`. An agent that does not answer has
        `config_error`.
        """
        call = agent_calls.list_agents(config=config, fresh=fresh)
        return (self._connection.call(call)).agents

    def get_agent(self, agent: str, *, config: bool = True, fresh: bool = False) -> AgentInfo:
        """One agent, with what it offers. Raises: UnsupportedAgent."""
        return self._connection.call(agent_calls.get_agent(agent, config=config, fresh=fresh))

    def install_agent(
        self,
        agent: str,
        version: str | None = None,
        *,
        reinstall: bool = False,
        on_progress: Callable[[InstallProgress], object] | None = None,
    ) -> InstallResult:
        """Install an agent where the server is; the version that was tested, unless another is asked for.

        `version` may be a tag such as `latest`. `on_progress` is told the steps and the bytes. Leaving
        early does not stop it: asking again waits for the same installation.

        Raises:
            AgentNotInstallable: nothing can install this agent, or this version.
            InstallForbidden: the server was told not to use the network.
            InstallFailed: and its kinds; what was installed before still works.
            ServerUnreachable: the connection broke.
        """
        if on_progress is not None:
            check_callback(
                on_progress,
                "on_progress",
                argument="the progress",
                may_be_async=CALLBACKS_MAY_BE_ASYNC,
            )
        call = agent_calls.install(agent, version=version, reinstall=reinstall)
        has_heard = False
        try:
            # As a stream also without a callback: a gateway that sees no byte for minutes cuts the connection.
            with closing(self._connection.transport.events(call)) as events:
                for event in events:
                    has_heard = True
                    news = agent_calls.read_install_event(event)
                    if isinstance(news, InstallResult):
                        return news
                    if news is not None and on_progress is not None:
                        settle(on_progress(news))
        except (ServerUnreachable, Timeout):
            if has_heard:
                raise
        if has_heard:
            raise ServerUnreachable(
                "The server broke off while it installed; it may go on. Ask again to wait for it."
            )
        # Something in between may hold streams back: the same installation is waited for without its progress.
        return self._connection.call(call)

    # -- who may call

    def create_token(
        self, actor: str, scopes: Sequence[TokenScope], *, expires_in: float | None = None
    ) -> TokenCreated:
        """A token for somebody else; its `token` is in this answer only. It may read, and what `scopes` say.

        What is answered with it is recorded as `actor`'s. `expires_in` is in seconds; None: until revoked.

        Raises:
            PermissionDenied: this client's own token is not for `admin`.
            LimitReached: there are too many.
        """
        wanted = built(CreateToken, actor=actor, scopes=list(scopes), expires_in_s=expires_in)
        return self._connection.call(token_calls.create(wanted))

    def list_tokens(self) -> list[TokenInfo]:
        """Those that were made and are valid. Raises: PermissionDenied."""
        return (self._connection.call(token_calls.list_all())).tokens

    def revoke_token(self, id: str) -> None:
        """It is refused from now on, and the streams that it opened end. Raises: TokenNotFound, PermissionDenied."""
        self._connection.call(token_calls.revoke(id))
