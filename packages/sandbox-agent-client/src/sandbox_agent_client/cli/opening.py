"""The session that somebody wants to work in, new or known, made ready for it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic.alias_generators import to_camel
from sandbox_agent_core.ids import is_session_id, new_id

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client._async.session import Session
from sandbox_agent_client.cli.archive import ServerArchive, open_archives, place_of
from sandbox_agent_client.cli.install_bar import InstallBar
from sandbox_agent_client.cli.local_sessions import at_work, run_of
from sandbox_agent_client.cli.target import Target
from sandbox_agent_client.errors import Conflict, InvalidRequest, SessionNotFound

__all__ = ["DEFAULT_AGENT", "Wanted", "leaving_on_signals", "opened"]

DEFAULT_AGENT = "claude"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    target: Target
    session: str | None = None
    """Its id, the beginning of it, or its title."""
    may_create: bool = False
    """With `session` as its id, when there is none."""
    agent: str | None = None
    cwd: str | None = None
    additional_directories: Sequence[str] = ()
    model: str | None = None
    mode: str | None = None
    agent_options: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    base_url: str | Mapping[str, str] | None = None
    trust_workspace: bool | None = None


@contextlib.asynccontextmanager
async def opened(
    wanted: Wanted, *, report: Callable[[str], None] | None = None
) -> AsyncIterator[tuple[SandboxAgent, Session]]:
    """Its server and the session. A sandbox that was made for it is gone afterwards.

    Raises:
        SessionNotFound: there is no such session.
        InvalidRequest: it could be several, or was made otherwise.
        Conflict: another run works in it.
    """
    known = wanted.session is not None
    if wanted.session is not None:
        target, session_id, known = await _find(wanted, wanted.session)
        wanted = replace(wanted, target=target)
    else:
        session_id = new_id("ses")
    is_ours = wanted.target.url is None and wanted.target.store is None
    with leaving_on_signals(), at_work(session_id) if is_ours else contextlib.nullcontext():
        async with wanted.target.open(session_id=session_id, report=report) as client:
            with InstallBar() as bar:
                if known:
                    session = await _resumed(client, session_id, wanted, bar)
                else:
                    session = await _created(
                        client, session_id if is_ours or wanted.session else None, wanted, bar
                    )
            yield client, session


async def _find(wanted: Wanted, name: str) -> tuple[Target, str, bool]:
    """Where it is, its id, and whether it is there."""
    async with open_archives(
        wanted.target, store=wanted.target.store, may_be_new=wanted.may_create
    ) as archives:
        try:
            place = await place_of(archives, name)
        except SessionNotFound as exc:
            if wanted.may_create:
                return wanted.target, name, False
            makes = " `--create` makes it." if is_session_id(name) else ""
            raise SessionNotFound(f"{exc.message}{makes}") from exc
    if isinstance(place.archive, ServerArchive) or wanted.target.store is not None:
        return wanted.target, place.id, True
    if (pid := run_of(place.id)) is not None:
        raise Conflict(f"Session {place.id!r} is running here, in process {pid}: end that first.")
    # A sandbox of its own, also where other sessions of this machine are at its server.
    return (Target() if wanted.target.is_daemon else wanted.target), place.id, True


async def _created(
    client: SandboxAgent, session_id: str | None, wanted: Wanted, bar: InstallBar
) -> Session:
    return await client.create_session(
        wanted.agent or DEFAULT_AGENT,
        id=session_id,
        on_install=bar.show,
        cwd=wanted.cwd,
        additional_directories=wanted.additional_directories or None,
        model=wanted.model,
        mode=wanted.mode,
        env=wanted.env or None,
        base_url=wanted.base_url,
        trust_workspace=wanted.trust_workspace,
        agent_options=wanted.agent_options or None,
    )


async def _resumed(
    client: SandboxAgent, session_id: str, wanted: Wanted, bar: InstallBar
) -> Session:
    session = await client.resume_session(
        session_id, cwd=wanted.cwd, env=wanted.env or None, on_install=bar.show
    )
    if wanted.agent not in {None, session.info.agent}:
        raise InvalidRequest(
            f"Session {session.id} is one of {session.info.agent!r}, not {wanted.agent!r}."
        )
    if wanted.base_url is not None and wanted.base_url != session.info.base_url:
        raise InvalidRequest(f"Session {session.id} was made with another base URL, which stays.")
    if wanted.trust_workspace not in {None, session.info.trust_workspace}:
        word = "trusted" if session.info.trust_workspace else "not trusted"
        raise InvalidRequest(f"The workspace of session {session.id} is {word}, which stays.")
    if not set(wanted.additional_directories) <= set(session.info.additional_directories):
        raise InvalidRequest(f"Session {session.id} was made with other directories, which stay.")
    options = {to_camel(name): value for name, value in wanted.agent_options.items()}
    if not options.items() <= session.info.agent_options.items():
        raise InvalidRequest(f"Session {session.id} was made with other agent options, which stay.")
    if wanted.model not in {None, session.info.model}:
        await session.set_model(str(wanted.model))
    if wanted.mode not in {None, session.info.mode}:
        await session.set_mode(str(wanted.mode))
    return session


@contextlib.contextmanager
def leaving_on_signals() -> Iterator[None]:
    """Outside of a turn a signal leaves: the sandbox that was made is destroyed on the way out."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
