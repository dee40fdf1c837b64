"""Scheduler and kubelet of the one node: which Pods there are, and who ends them."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Coroutine
from pathlib import Path

from support.kubernetes.containers import Container
from support.kubernetes.events import record
from support.kubernetes.node import Node
from support.kubernetes.pod import Pod
from support.kubernetes.resources import PODS, VOLUME_CLAIMS
from support.kubernetes.storage import Change, Object, Storage, now

__all__ = ["Kubelet"]


class Kubelet:
    """Runs every Pod that names no other node. `problems` are exceptions of its own: there should be none."""

    def __init__(self, storage: Storage, node: Node) -> None:
        self.problems: list[Exception] = []
        self._storage = storage
        self._node = node
        self._pods: dict[str, Pod] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._addresses = itertools.count(2)
        storage.listen(self._heard)

    def container(self, pod: Object) -> Container | None:
        """The running one of a Pod."""
        known = self._pods.get(pod["metadata"]["uid"])
        return known.container if known and known.container and known.container.is_running else None

    def processes(self) -> list[int]:
        """The first processes of all containers that run."""
        containers = [each.container for each in self._pods.values()]
        return [each.pid for each in containers if each and each.is_running]

    def log(self, pod: Object, container: str, *, previous: bool = False) -> Path | None:
        """The file with its output; None if it did not start yet."""
        known = self._pods.get(pod["metadata"]["uid"])
        return known.log(container, previous=previous) if known else None

    def terminate(self, pod: Object, grace_s: float) -> None:
        """End it and remove it: at once without grace, else when its process has ended or was killed."""
        known = self._pods.get(pod["metadata"]["uid"])
        if known is None or grace_s == 0:
            self._storage.remove(PODS, pod)
            return
        if not pod["metadata"].get("deletionTimestamp"):
            name = pod["spec"]["containers"][0]["name"]
            record(self._storage, pod, "Killing", f"Stopping container {name}", type_="Normal")
        mark = {"deletionTimestamp": now(), "deletionGracePeriodSeconds": int(grace_s)}
        self._storage.edit(PODS, pod, lambda it: it["metadata"].update(mark))
        self._spawn(known.end(grace_s))

    def fail(self, pod: Object, *, reason: str, message: str) -> None:
        """Kill it and leave it there as failed: evicted, for example."""
        self._spawn(self._pods[pod["metadata"]["uid"]].fail(reason, message))

    def kill(self, pod: Object, *, reason: str) -> None:
        """Kill its container and give the reason for its status: OOMKilled, as if the kernel had done it."""
        known = self._pods[pod["metadata"]["uid"]]
        known.kill_reason = reason
        if known.container:
            known.container.signal(signal.SIGKILL)

    async def close(self) -> None:
        """Kill everything and forget it."""
        while self._pods:
            self._spawn(self._pods.popitem()[1].forget())
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _heard(self, change: Change) -> None:
        if change.resource == VOLUME_CLAIMS and change.type == "ADDED":
            self._storage.edit(
                VOLUME_CLAIMS, change.object, lambda it: it.update(status={"phase": "Bound"})
            )
        if change.resource != PODS:
            return
        it = change.object
        uid = it["metadata"]["uid"]
        if change.type == "ADDED" and it["spec"].get("nodeName") in (None, self._node.name):
            address = f"10.244.0.{next(self._addresses)}"
            self._pods[uid] = Pod(it, storage=self._storage, node=self._node, address=address)
            self._pods[uid].task = self._spawn(self._pods[uid].run())
        elif change.type == "DELETED" and uid in self._pods:
            self._spawn(self._pods.pop(uid).forget())

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(problem := task.exception(), Exception):
            self.problems.append(problem)
