"""A server's sessions without its HTTP: a manager, its index and logs, and an agent that the test plays."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from acme import Acme
from sandbox_agent_core.api.sessions import CreateSession, SessionInfo
from sandbox_agent_core.frames import LogEntry, acp
from sandbox_agent_server.host.config.store import ConfigStore
from sandbox_agent_server.host.files.paths import Paths
from sandbox_agent_server.http.tool_door import LoopbackDoor
from sandbox_agent_server.install.jobs import InstallJobs
from sandbox_agent_server.runtime.ledger import ProcessLedger
from sandbox_agent_server.sessions.manager import SessionManager
from sandbox_agent_server.sessions.recovery import entries_after
from sandbox_agent_server.sessions.session import Session
from sandbox_agent_server.settings import Settings
from sandbox_agent_server.store.index import SessionIndex
from support.scripted_adapter import ScriptedAdapter, silence

__all__ = ["House"]


class House:
    """Opened again, it is the server after a restart."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.data_dir = directory / "data"
        self.workspace = directory / "workspace"
        self.workspace.mkdir()
        program = directory / "acme-program"
        program.touch()
        self.acme = Acme(program, make=self._make)
        self.settings = settings
        self.answers: dict[str, Any] = {acp.SESSION_PROMPT: silence}

    def _make(self) -> ScriptedAdapter:
        return ScriptedAdapter(self.answers)

    @property
    def agent(self) -> ScriptedAdapter:
        """The one that was made last."""
        return self.acme.made[-1]

    async def open(self, **settings: Any) -> SessionManager:
        self.settings |= settings
        read = Settings.model_validate({"data_dir": self.data_dir, **self.settings})
        self.index = SessionIndex(self.data_dir)
        installs: Any = InstallJobs(
            None,  # type: ignore[arg-type]
            lambda _agent: None,
            installs_by_itself=False,
        )
        self.manager = SessionManager(
            self.index, read, self.acme.factory(**self.settings), installs,
            ProcessLedger(self.index, marker="of-the-tests"),
            ConfigStore(self.data_dir, paths=Paths(), max_bytes=65536), Paths(), LoopbackDoor(read.limits), version="1",
        )  # fmt: skip
        await self.manager.recover()
        return self.manager

    async def close(self) -> None:
        async with asyncio.timeout(30):
            await self.manager.shut_down()
        self.index.close()

    async def dies(self) -> None:
        """As by SIGKILL: nothing more is written by this server, and its agents are gone."""
        for log in list(self.manager._archive._logs.values()):
            log.append = _refuse  # type: ignore[method-assign]
        self.index.save = _refuse  # type: ignore[method-assign]
        await self.manager._tasks.cancel()
        for session in list(self.manager._live.values()):
            session.conversation.observers.clear()
            await session._tasks.cancel()
            await session.conversation._tasks.cancel()
            session.conversation.requests.close()
        self.index._db.close()
        self.index._lock.close()

    async def restart(self, **settings: Any) -> SessionManager:
        await self.close()
        return await self.open(**settings)

    async def create(self, id: str = "ses_1", **body: Any) -> SessionInfo:
        given = {"agent": "acme", "cwd": str(self.workspace), "id": id, **body}
        return await self.manager.create(CreateSession.model_validate(given))

    def live(self, id: str = "ses_1") -> Session | None:
        return self.manager._live.get(id)

    def prompt(self, id: str = "ses_1", text: str = "hi") -> Any:
        with self.manager.session(id) as session:
            return session.prompt([{"type": "text", "text": text}])[0]

    def directory(self, id: str = "ses_1") -> Path:
        return self.data_dir / "sessions" / id

    def entries(self, id: str = "ses_1") -> list[LogEntry]:
        return list(entries_after(self.manager.reader.log(id), 0))


def _refuse(*_args: Any, **_kwargs: Any) -> None:
    from sandbox_agent_core.errors import StorageError

    raise StorageError("this server is dead")
