"""One Pod on the node: its way from Pending to a process, and to its end. The status of its object tells each step."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from support.kubernetes import pod_status, probes
from support.kubernetes.containers import Container, ContainerSpec, NotStarted
from support.kubernetes.events import record
from support.kubernetes.node import ConfigError, Node, Unmountable
from support.kubernetes.resources import PODS
from support.kubernetes.storage import Object, Storage

__all__ = ["Pod"]

# How soon what a Pod waits for is looked for again, and how soon a container that ended is started again.
# A real kubelet takes up to minutes.
_RETRY_S = 0.1


class Pod:
    """`run` is its life; `end`, `fail` and `forget` are its three deaths."""

    def __init__(self, it: Object, *, storage: Storage, node: Node, address: str) -> None:
        self.container: Container | None = None
        self.kill_reason: str | None = None
        self.task: asyncio.Task[None] | None = None  # of `run`
        self._it = it
        self._storage = storage
        self._node = node
        self._address = address
        self._folder = node.folder / "pods" / it["metadata"]["uid"]
        self._starts: dict[str, int] = {}
        self._is_ending = False

    def log(self, container: str, *, previous: bool = False) -> Path | None:
        """The output of a container's last start, or of the one before."""
        number = self._starts.get(container, 0) - previous
        return self._folder / f"{container}-{number}.log" if number > 0 else None

    async def run(self) -> None:
        """Returns when its container has ended for good."""
        await self._schedule()
        deadline_s = self._it["spec"].get("activeDeadlineSeconds")
        try:
            async with asyncio.timeout(deadline_s):
                await self._run_containers()
        except TimeoutError:
            await self._fail(
                "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
            )

    async def end(self, grace_s: float) -> None:
        """TERM, KILL after `grace_s`; then it is removed."""
        self._is_ending = True
        if self.container and self.container.is_running:
            self.container.signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.container.wait(), grace_s)
            except TimeoutError:
                self.container.signal(signal.SIGKILL)
                await self.container.wait()
            if self.task:
                await asyncio.wait([self.task])  # writes down how it ended
        self._storage.remove(PODS, self._it)

    async def fail(self, reason: str, message: str) -> None:
        """Kill it; its object stays and says why."""
        await self._stop()
        await self._fail(reason, message)

    async def forget(self) -> None:
        """Kill it and remove its files; its object is gone."""
        await self._stop()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _stop(self) -> None:
        if self.task and self.task is not asyncio.current_task():
            if not self.task.cancelling():  # once: it may be busy with what it had to undo
                self.task.cancel()
            await asyncio.wait([self.task])
        await self._kill()

    async def _kill(self) -> None:
        if self.container:
            self.container.signal(signal.SIGKILL)
            await self.container.wait()

    async def _fail(self, reason: str, message: str) -> None:
        await self._kill()

        def change(it: Object) -> None:
            pod_status.finished(it, 137, "Error")
            if reason == "Evicted":
                pod_status.condition(
                    it["status"],
                    "DisruptionTarget",
                    True,
                    reason="TerminationByKubelet",
                    message=message,
                )
            it["status"] |= {"phase": "Failed", "reason": reason, "message": message}

        self._edit(change)
        self._event(reason, message)

    async def _schedule(self) -> None:
        while (why := self._node.why_no_room(self._it)) is not None:
            self._edit(lambda it, why=why: pod_status.unschedulable(it, why))  # type: ignore[misc]
            self._event("FailedScheduling", why)
            await asyncio.sleep(_RETRY_S)
        self._edit(lambda it: it["spec"].update(nodeName=self._node.name))
        self._event("Scheduled", f"Successfully assigned to {self._node.name}", is_normal=True)

    async def _run_containers(self) -> None:
        volumes = await self._mount()
        for each in self._it["spec"].get("initContainers") or []:
            await self._start(each, volumes, initial=each["name"])
            if await self._ended(initial=each["name"]):
                return
        (only,) = self._it["spec"]["containers"]
        while True:
            await self._start(only, volumes)
            readiness = asyncio.create_task(self._look_after(only))
            try:
                code = await self._ended()
            finally:
                readiness.cancel()
            if not self._restarts(code):
                return
            await asyncio.sleep(_RETRY_S)

    async def _mount(self) -> dict[str, Path]:
        while True:
            self._waits("ContainerCreating")
            try:
                return self._node.volumes(self._it, folder=self._folder)
            except Unmountable as problem:
                self._event("FailedMount", str(problem))
                await asyncio.sleep(_RETRY_S)

    async def _start(
        self, spec: dict[str, Any], volumes: dict[str, Path], *, initial: str | None = None
    ) -> None:
        """Returns when it runs: waits for its image and for what its settings name."""
        name = spec["name"]
        await self._pull(spec["image"], initial)
        while True:
            try:
                wanted = self._node.container(self._it, spec, volumes)
                break
            except ConfigError as problem:
                self._waits("CreateContainerConfigError", str(problem), initial=initial)
                self._event("Failed", f"Error: {problem}")
                await asyncio.sleep(_RETRY_S)
        self._folder.mkdir(parents=True, exist_ok=True)
        number = self._starts.get(name, 0) + 1
        while True:
            try:
                # A container that is started again finds nothing of what it wrote, but for its volumes.
                with (self._folder / f"{name}-{number}.log").open("ab") as log:
                    self._starts[name] = number
                    await self._launch(wanted, self._folder / f"{name}-{number}", log)
                break
            except NotStarted as problem:
                self._waits(
                    "RunContainerError", f"failed to start container: {problem}", initial=initial
                )
                self._event("Failed", f"Error: failed to start container: {problem}")
                await asyncio.sleep(_RETRY_S)
        self._event("Started", f"Started container {name}", is_normal=True)
        if initial is None:
            self._runs(is_ready="readinessProbe" not in spec)

    async def _launch(self, spec: ContainerSpec, folder: Path, log: IO[bytes]) -> None:
        """Is not interrupted half-way, when only part of the container would be known: it is killed afterwards."""
        start = asyncio.create_task(Container.start(spec, folder=folder, log=log))
        try:
            self.container = await asyncio.shield(start)
        except asyncio.CancelledError:
            await asyncio.wait([start])
            if start.exception() is None:
                self.container = start.result()
            raise

    async def _pull(self, image: str, initial: str | None) -> None:
        reason = "ErrImagePull"
        while self._node.image(image) is None:
            why = f'failed to pull and unpack image "{image}": not found'
            self._waits(reason, why, initial=initial)
            if reason == "ErrImagePull":
                self._event("Failed", f'Failed to pull image "{image}": {why}')
            else:
                self._event("BackOff", f'Back-off pulling image "{image}"')
            reason = "ImagePullBackOff"
            await asyncio.sleep(_RETRY_S)
        self._event(
            "Pulled", f'Container image "{image}" already present on machine', is_normal=True
        )

    async def _look_after(self, spec: dict[str, Any]) -> None:
        """The readiness probe; without one a container is ready when it runs."""
        probe = spec.get("readinessProbe")
        while probe and self.container:
            is_ready = await probes.succeeds(self.container, probe)
            if not is_ready:
                self._event("Unhealthy", "Readiness probe failed")
            self._runs(is_ready=is_ready)
            await asyncio.sleep(probe.get("periodSeconds", 10) if is_ready else _RETRY_S)

    async def _ended(self, *, initial: str | None = None) -> int:
        """Waits for its end and writes it down. Its exit code."""
        assert self.container
        code = await self.container.wait()
        reason = self.kill_reason or ("Completed" if code == 0 else "Error")
        self.kill_reason = None
        restarts = initial is None and self._restarts(code)
        self._edit(
            lambda it: pod_status.finished(it, code, reason, restarts=restarts, initial=initial)
        )
        return code

    def _restarts(self, code: int) -> bool:
        policy = self._it["spec"].get("restartPolicy", "Always")
        return not self._is_ending and (policy == "Always" or (policy == "OnFailure" and code != 0))

    def _waits(self, reason: str, message: str = "", *, initial: str | None = None) -> None:
        self._edit(lambda it: pod_status.waiting(it, reason, message, initial=initial))

    def _runs(self, *, is_ready: bool) -> None:
        assert self.container
        pid = self.container.pid
        self._edit(
            lambda it: pod_status.running(it, pid=pid, address=self._address, is_ready=is_ready)
        )

    def _edit(self, change: Callable[[Object], None]) -> None:
        self._storage.edit(PODS, self._it, change)

    def _event(self, reason: str, message: str, *, is_normal: bool = False) -> None:
        record(self._storage, self._it, reason, message, type_="Normal" if is_normal else "Warning")
