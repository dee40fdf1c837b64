"""A provider that can do everything, with directories of this machine as sandboxes: for the tests of those
who use providers. Pausing stops the server's process; a lifetime is a number in a file."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sandbox_agent_core.errors import SandboxAsleep, SandboxNotFound
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.provisioning import ensure_running, provision, read_token, tail_log
from sandbox_agent_core.spi.provider import (
    Check,
    Endpoint,
    PortUrl,
    Preflight,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
)
from sandbox_agent_core.testing.machine import DirectoryMachine

from support.ports import free_port
from support.wheelhouse import OUR_SERVER

__all__ = ["DirectoryProvider", "InTheRoot"]


class DirectoryProvider:
    name = "directory"

    def __init__(self, root: str) -> None:
        self.root = Path(root)
        self.calls: list[str] = []

    async def preflight(self) -> Preflight:
        return Preflight([Check(name="root", ok=self.root.is_dir(), message=str(self.root))])

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        self.calls.append("create")
        home = self.root / new_id("dir")
        ref = SandboxRef(provider=self.name, id=home.name, metadata={"port": free_port()})
        machine = self._machine(home)
        try:
            (home / "labels.json").write_text(json.dumps(dict(spec.labels)))
            await provision(
                machine,
                spec,
                machine.layout,
                port=ref.metadata["port"],
                host="127.0.0.1",
            )
        except BaseException:
            await self.destroy(ref)
            raise
        return ref

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        self.calls.append("endpoint")
        machine = self._at(ref)
        if not self.server_pid(ref):
            raise SandboxNotFound(f"The server of {ref.id} has ended.", provider=self.name)
        if self.is_frozen(ref):
            raise SandboxAsleep(
                f"The directory {ref.id} is frozen. Resume it first.",
                provider=self.name,
                state="paused",
            )
        return Endpoint(
            url=f"http://127.0.0.1:{self._port(ref)}",
            token=await read_token(machine, machine.layout),
        )

    async def destroy(self, ref: SandboxRef) -> None:
        self.calls.append("destroy")
        home = self.root / ref.id
        if home.is_dir():
            # The server's own programs outlive it when it is killed, and write: git does.
            await self._machine(home).end()
            shutil.rmtree(home)

    async def ensure_server(self, ref: SandboxRef) -> None:
        self.calls.append("ensure_server")
        machine = self._at(ref)
        await ensure_running(machine, machine.layout)

    async def pause(self, ref: SandboxRef) -> None:
        self.calls.append("pause")
        self._signal(ref, signal.SIGSTOP)
        async with asyncio.timeout(30):
            while (pid := self.server_pid(ref)) and _state(pid) != "T":
                await asyncio.sleep(0.005)

    async def resume(self, ref: SandboxRef) -> None:
        self.calls.append("resume")
        self._signal(ref, signal.SIGCONT)

    async def port_url(self, ref: SandboxRef, port: int) -> PortUrl:
        self._at(ref)
        return PortUrl(url=f"http://127.0.0.1:{port}")

    async def extend(self, ref: SandboxRef, seconds: float) -> None:
        self.calls.append(f"extend {seconds:g}")
        self._at(ref)

    async def list(self, labels: Mapping[str, str] | None = None) -> list[SandboxInfo]:
        homes = [home for home in sorted(self.root.iterdir()) if (home / "labels.json").exists()]
        infos = [self._info(home) for home in homes]
        return [info for info in infos if (labels or {}).items() <= info.labels.items()]

    async def logs(self, ref: SandboxRef, *, tail: int = 200) -> str:
        machine = self._at(ref)
        return await tail_log(machine, machine.layout, tail=tail)

    def is_frozen(self, ref: SandboxRef) -> bool:
        pid = self.server_pid(ref)
        return pid is not None and _state(pid) == "T"

    def server_pid(self, ref: SandboxRef) -> int | None:
        try:
            pid = int(Path(self._machine(self.root / ref.id).layout.pid).read_text())
            state = _state(pid)
        except (OSError, ValueError):
            return None
        return None if state == "Z" else pid

    def pretend(self, labels: Mapping[str, str], created_at: datetime) -> SandboxRef:
        """A sandbox without a server, as if it had been made then."""
        home = self.root / new_id("dir")
        home.mkdir()
        (home / "labels.json").write_text(json.dumps(dict(labels)))
        (home / "created").write_text(created_at.isoformat())
        return SandboxRef(provider=self.name, id=home.name)

    def _info(self, home: Path) -> SandboxInfo:
        labels = json.loads((home / "labels.json").read_text())
        ref = SandboxRef(provider=self.name, id=home.name)
        pid = self.server_pid(ref)
        created = home / "created"
        return replace(
            SandboxInfo(ref=ref, labels=labels),
            ref=replace(ref, metadata={"port": self._port(ref)}) if pid else ref,
            state="stopped" if pid is None else "paused" if _state(pid) == "T" else "running",
            created_at=datetime.fromisoformat(created.read_text())
            if created.exists()
            else datetime.now(UTC),
        )

    def _port(self, ref: SandboxRef) -> int:
        ready = Path(self._machine(self.root / ref.id).layout.ready)
        port: int = int(json.loads(ready.read_text())["url"].rpartition(":")[2])
        return port

    def _signal(self, ref: SandboxRef, number: signal.Signals) -> None:
        self._at(ref)
        if pid := self.server_pid(ref):
            os.kill(pid, number)

    def _at(self, ref: SandboxRef) -> DirectoryMachine:
        home = self.root / ref.id
        if not home.is_dir():
            raise SandboxNotFound(f"There is no sandbox {ref.id}.", provider=self.name)
        return self._machine(home)

    def _machine(self, home: Path) -> DirectoryMachine:
        return DirectoryMachine(home, path=f"{OUR_SERVER.parent}:/usr/bin:/bin")


class InTheRoot(DirectoryProvider):
    """Made without options, as the command line does."""

    def __init__(self, root: str | None = None) -> None:
        super().__init__(root or os.environ["ROOT_OF_DIRECTORY_PROVIDER"])


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
