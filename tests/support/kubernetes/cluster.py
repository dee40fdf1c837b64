"""The cluster that tests use: the server in a thread of its own, and the hands of its operator."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from aiohttp import web

from support.kubernetes.access import Access
from support.kubernetes.api import ApiServer
from support.kubernetes.certificates import Certificates
from support.kubernetes.containers import Image
from support.kubernetes.deletion import Deletion
from support.kubernetes.faults import Cut, Fault, Faults
from support.kubernetes.kubeconfig import InCluster, write_in_cluster, write_kubeconfig
from support.kubernetes.kubelet import Kubelet
from support.kubernetes.node import Node, quantity
from support.kubernetes.refusals import Refusal
from support.kubernetes.requests import Request
from support.kubernetes.resources import AGENT_SANDBOX, CORE, PODS, Resource, Resources
from support.kubernetes.sandboxes import SandboxController
from support.kubernetes.storage import Object, Storage
from support.kubernetes.warm_pools import ClaimController, PoolController

__all__ = ["Cluster"]

T = TypeVar("T")

_UPLOAD_BYTES = 64 << 20
_WAIT_S = 30.0


class Cluster:
    """A Kubernetes API server on 127.0.0.1 whose Pods are processes of this machine; a context manager.

    All methods may be called from any thread.

    Args:
        namespaces: those there are at the start; the first is that of the kubeconfig.
        agent_sandbox: whether agents.x-k8s.io is installed: its kinds, and the controllers that act on them.
        controllers: False: those do not run.
        bookmark_s: how often an idle watch that allows them gets a bookmark.
    """

    def __init__(
        self,
        *,
        namespaces: Sequence[str] = ("agents", "default"),
        agent_sandbox: bool = False,
        controllers: bool = True,
        bookmark_s: float = 1.0,
    ) -> None:
        self.namespace = namespaces[0]
        self.folder = Path(tempfile.mkdtemp(prefix="k8s-"))
        self.access = Access()
        self.kubeconfig = self.folder / "kubeconfig"
        self.url = ""
        self.in_cluster: InCluster
        self._namespaces = namespaces
        self._bookmark_s = bookmark_s
        self._resources = Resources([*CORE, *(AGENT_SANDBOX if agent_sandbox else ())])
        self._storage = Storage()
        self._faults = Faults()
        self._node = Node(self._storage, self.folder)
        self._kubelet = Kubelet(self._storage, self._node)
        self._deletion = Deletion(self._storage, self._kubelet, self._node, self._resources)
        self._api = ApiServer(
            storage=self._storage,
            resources=self._resources,
            access=self.access,
            faults=self._faults,
            kubelet=self._kubelet,
            deletion=self._deletion,
            bookmark_s=bookmark_s,
        )
        kinds = (SandboxController, PoolController, ClaimController)
        running = kinds if agent_sandbox and controllers else ()
        self._controllers = [kind(self._storage, self._deletion) for kind in running]
        self._certificates = Certificates(self.folder)
        self._started: concurrent.futures.Future[int] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="kubernetes")
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._runner: web.AppRunner

    def __enter__(self) -> Cluster:
        self._thread.start()
        try:
            port = self._started.result(_WAIT_S)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self.url = f"https://127.0.0.1:{port}"
        token = self.access.token()
        write_kubeconfig(
            self.kubeconfig,
            url=self.url,
            certificates=self._certificates,
            token=token,
            namespace=self.namespace,
        )
        self.in_cluster = write_in_cluster(
            self.folder / "serviceaccount",
            port=port,
            certificates=self._certificates,
            token=token,
            namespace=self.namespace,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        shutil.rmtree(self.folder, ignore_errors=True)
        problems = [*self._kubelet.problems, *self._api.problems]
        problems += [problem for controller in self._controllers for problem in controller.problems]
        if problems and problem is None:
            raise ExceptionGroup("the cluster itself failed", problems)

    # What clients asked.

    @property
    def requests(self) -> list[Request]:
        """Everything that was asked so far, but for discovery and what had no valid credentials."""
        return self._call(lambda: list(self._api.requests))

    def count(self, verb: str, resource: str) -> int:
        """How many requests there were, as RBAC names them: `count("create", "pods")`, `count("get", "pods/exec")`."""
        return sum((each.verb, each.resource) == (verb, resource) for each in self.requests)

    # What is there.

    def get(self, plural: str, name: str, *, namespace: str | None = None) -> Object | None:
        """An object; None if there is none."""
        resource = self._resource(plural)
        where = (namespace or self.namespace) if resource.namespaced else ""
        return self._call(lambda: self._storage.find(resource, where, name))

    def objects(self, plural: str, *, namespace: str | None = None) -> list[Object]:
        """The objects of one namespace; of all with ""."""
        resource = self._resource(plural)
        where = self.namespace if namespace is None else namespace
        return self._call(lambda: list(self._storage.objects(resource, where)))

    def create(self, plural: str, it: Object, *, namespace: str | None = None) -> Object:
        """Put an object there, past access and admission."""
        resource = self._resource(plural)
        it = copy.deepcopy(it)
        if resource.namespaced:
            it["metadata"].setdefault("namespace", namespace or self.namespace)
        return self._call(lambda: self._storage.create(resource, it))

    def edit(
        self,
        plural: str,
        name: str,
        change: Callable[[Object], None],
        *,
        namespace: str | None = None,
    ) -> None:
        """Change an object behind everybody's back."""
        resource = self._resource(plural)
        where = (namespace or self.namespace) if resource.namespaced else ""
        self._call(
            lambda: self._storage.edit(resource, self._storage.get(resource, where, name), change)
        )

    def delete(
        self, plural: str, name: str, *, namespace: str | None = None, grace_s: float = 0
    ) -> None:
        """Delete an object as somebody else would."""
        resource = self._resource(plural)
        where = (namespace or self.namespace) if resource.namespaced else ""
        self._call(
            lambda: self._deletion.delete(
                resource, self._storage.get(resource, where, name), grace_s=grace_s
            )
        )

    def wait_for(
        self,
        plural: str,
        name: str,
        holds: Callable[[Any], object],
        *,
        namespace: str | None = None,
        timeout_s: float = _WAIT_S,
    ) -> Any:
        """Wait until something holds for an object, which is None while it is not there. The object.

        Raises:
            AssertionError: it did not; the message shows the object as it is.
        """
        resource = self._resource(plural)
        where = (namespace or self.namespace) if resource.namespaced else ""

        async def wait() -> Object | None:
            changes = self._storage.changes(
                resource, since=self._storage.revision, idle_s=timeout_s
            )
            try:
                async with asyncio.timeout(timeout_s):
                    while not holds(it := self._storage.find(resource, where, name)):
                        await anext(changes)
            except TimeoutError:
                raise AssertionError(f"{plural}/{name} is still {it}") from None
            finally:
                await changes.aclose()
            return it

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(timeout_s + _WAIT_S)

    def processes(self) -> list[int]:
        """The first processes of all containers that run, as this machine numbers them."""
        return self._call(self._kubelet.processes)

    def insert_pods(
        self, count: int, *, labels: dict[str, str] | None = None, namespace: str | None = None
    ) -> None:
        """Put running Pods of another node there, `pod-00000` and so on, which are objects and nothing else."""

        def insert() -> None:
            for number in range(count):
                self._storage.create(
                    PODS, _foreign_pod(number, labels or {}, namespace or self.namespace)
                )

        self._call(insert)

    # The node.

    def image(self, name: str, image: Image) -> None:
        """Say what an image's name stands for."""
        self._call(lambda: self._node.images.update({name: image}))

    def lose_image(self, name: str, *, lost: bool = True) -> None:
        """From now on the image cannot be pulled; or it can again."""
        missing = self._node.missing_images
        self._call(lambda: missing.add(name) if lost else missing.discard(name))

    def cordon(self, *, cordoned: bool = True) -> None:
        """From now on no Pod is scheduled; or they are again, those that wait too."""
        self._call(lambda: setattr(self._node, "is_cordoned", cordoned))

    def resize(self, **capacity: str) -> None:
        """What a Pod can ask for at most: `resize(cpu="2", memory="4Gi")`."""
        self._call(
            lambda: self._node.capacity.update(
                {key: quantity(value) for key, value in capacity.items()}
            )
        )

    def kill_for_memory(self, name: str, *, namespace: str | None = None) -> None:
        """Kill a Pod's container as the kernel does it, out of memory: OOMKilled, 137."""
        self._call(lambda: self._kubelet.kill(self._pod(name, namespace), reason="OOMKilled"))

    def evict(
        self,
        name: str,
        *,
        namespace: str | None = None,
        message: str = "The node was low on resource: memory.",
    ) -> None:
        """Kill a Pod and leave it there as Failed, with the reason Evicted."""
        self._call(
            lambda: self._kubelet.fail(
                self._pod(name, namespace), reason="Evicted", message=message
            )
        )

    def enforce_restricted(self, namespace: str | None = None) -> None:
        """From now on the namespace takes only Pods of Pod Security's level `restricted`."""
        label = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.edit(
            "namespaces",
            namespace or self.namespace,
            lambda it: it["metadata"].setdefault("labels", {}).update(label),
        )

    # The server.

    def fail_next(
        self,
        verb: str,
        resource: str,
        *,
        status: int = 500,
        message: str = "injected by the test",
        reason: str | None = None,
        retry_after_s: int | None = None,
        times: int = 1,
    ) -> None:
        """Refuse the next requests: `fail_next("create", "pods", status=429, retry_after_s=1)`. `*` is any."""
        refusal = Refusal(status, message, reason=reason, retry_after_s=retry_after_s)
        self._call(lambda: self._faults.add(Fault(verb, resource, times, refusal, None)))

    def cut_next(self, verb: str, resource: str, *, cut: Cut = "before", times: int = 1) -> None:
        """Cut the connection of the next requests: before they are done, or `after`, when only the answer is lost."""
        self._call(lambda: self._faults.add(Fault(verb, resource, times, None, cut)))

    def cut_connections(self) -> None:
        """Cut every connection, with its watch, exec or port-forward, as a restart of the server does it."""
        self._call(self._abort_connections)

    def compact(self) -> None:
        """Forget the history: lists that go on, and watches from before now, get 410."""
        self._call(self._storage.compact)

    def expire_watches(self) -> None:
        """Compact, and end every open watch with 410."""
        self._call(self._storage.expire_watches)

    def _resource(self, plural: str) -> Resource:
        return next(each for each in self._resources if each.plural == plural)

    def _pod(self, name: str, namespace: str | None) -> Object:
        return self._storage.get(PODS, namespace or self.namespace, name)

    def _call(self, what: Callable[[], T]) -> T:
        """Do it in the loop's thread, which everything belongs to."""

        async def there() -> T:
            return what()

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result(_WAIT_S)

    def _abort_connections(self) -> None:
        for connection in self._runner.server.connections if self._runner.server else ():
            if connection.transport is not None:
                connection.transport.abort()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as problem:
            if self._started.done():
                raise
            self._started.set_exception(problem)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        for name in self._namespaces:
            self._storage.create(
                self._resource("namespaces"),
                {"metadata": {"name": name}, "status": {"phase": "Active"}},
            )
        app = web.Application(client_max_size=_UPLOAD_BYTES)
        app.router.add_route("*", "/{path:.*}", self._api.handle)
        self._runner = runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(
                runner, "127.0.0.1", 0, ssl_context=self._certificates.server_context()
            )
            await site.start()
            self._started.set_result(runner.addresses[0][1])
            await self._stop.wait()
        finally:
            self._abort_connections()
            await self._kubelet.close()
            await runner.cleanup()


def _foreign_pod(number: int, labels: dict[str, str], namespace: str) -> Object:
    """As large as a usual one."""
    container = {
        "name": "agent",
        "image": "debian",
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
    }
    conditions = [
        {"type": type_, "status": "True"}
        for type_ in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    state = {
        "name": "agent",
        "image": "debian",
        "imageID": "",
        "ready": True,
        "restartCount": 0,
        "state": {"running": {}},
    }
    return {
        "metadata": {"name": f"pod-{number:05}", "namespace": namespace, "labels": dict(labels)},
        "spec": {"nodeName": "another-node", "containers": [container]},
        "status": {
            "phase": "Running",
            "podIP": "10.244.1.1",
            "conditions": conditions,
            "containerStatuses": [state],
        },
    }
