"""The API server: from an HTTP request to an answer, through authentication, faults, authorization and admission."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from support.kubernetes import lists, spdy
from support.kubernetes.access import Access, Attempt
from support.kubernetes.admission import admit, check_update, pod_security
from support.kubernetes.containers import Container
from support.kubernetes.deletion import Deletion
from support.kubernetes.exec_stream import exec_stream
from support.kubernetes.faults import Fault, Faults
from support.kubernetes.kubelet import Kubelet
from support.kubernetes.logs import logs
from support.kubernetes.patches import patched
from support.kubernetes.port_forward import port_forward
from support.kubernetes.refusals import Refusal
from support.kubernetes.requests import Call, Request, parse
from support.kubernetes.resources import NAMESPACES, PODS, Resource, Resources
from support.kubernetes.storage import Object, Storage

__all__ = ["ApiServer"]

# Since 1.35 a stream into a Pod needs the right to `create` too, though it is asked for with GET.
_STREAMS = ("exec", "portforward")
# A deletion of these answers with the object, that of others with a `Status`.
_RETURNED = ("pods", "persistentvolumeclaims", "services")


class ApiServer:
    """One handler for all paths. `requests` is the log, without what serves discovery."""

    def __init__(
        self,
        *,
        storage: Storage,
        resources: Resources,
        access: Access,
        faults: Faults,
        kubelet: Kubelet,
        deletion: Deletion,
        bookmark_s: float,
    ) -> None:
        self.requests: list[Request] = []
        self.problems: list[Exception] = []  # its own: there should be none
        self._storage = storage
        self._resources = resources
        self._access = access
        self._faults = faults
        self._kubelet = kubelet
        self._deletion = deletion
        self._bookmark_s = bookmark_s

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; a `Refusal` becomes its `Status`."""
        line = Request(request.method, request.path, request.query_string)
        line.user_agent = request.headers.get("User-Agent", "")
        try:
            response = await self._answer(request, line)
        except Refusal as refusal:
            response = web.json_response(
                refusal.status, status=refusal.code, headers=refusal.headers
            )
        except ConnectionError:
            response = web.Response(status=499)  # nobody is there to read it
        except Exception as problem:
            self.problems.append(problem)
            raise
        line.status = response.status
        return response

    async def _answer(self, request: web.Request, line: Request) -> web.StreamResponse:
        line.user = user = self._access.user_of(request)
        if (
            request.method == "GET"
            and (found := self._resources.discovery(request.path)) is not None
        ):
            return web.json_response(found)
        call = parse(request, await request.read(), self._resources)
        line.verb, line.resource, line.namespace, line.name = (
            call.verb,
            call.full_resource,
            call.namespace,
            call.name or _name_in(call.body),
        )
        line.body, line.content_type = call.body, call.content_type
        self.requests.append(line)
        fault = self._faults.take(call.verb, call.full_resource)
        self._fail(fault, request, "before")
        self._authorize(user, call)
        response = await self._do(call, request, user)
        self._fail(fault, request, "after")
        return response

    def _fail(self, fault: Fault | None, request: web.Request, when: str) -> None:
        if fault is None:
            return
        if fault.cut == when:
            _cut(request)
            raise Refusal(500, "the connection was cut")
        if fault.refusal:
            raise fault.refusal

    def _authorize(self, user: str, call: Call) -> None:
        if call.resource.plural == "selfsubjectaccessreviews":
            return
        self._access.check(user, call.attempt)
        if call.subresource in _STREAMS and call.verb == "get":
            attempt = call.attempt
            self._access.check(
                user, Attempt("create", attempt.group, attempt.resource, call.namespace, call.name)
            )

    async def _do(self, call: Call, request: web.Request, user: str) -> web.StreamResponse:
        if call.resource.plural == "selfsubjectaccessreviews":
            return web.json_response(self._review(call, user), status=201)
        match call.verb:
            case "list":
                return web.json_response(lists.page(call, self._storage))
            case "watch":
                return await lists.watch(call, request, self._storage, bookmark_s=self._bookmark_s)
            case "create" if not call.subresource:
                return web.json_response(self._create(call), status=201)
            case "deletecollection":
                return web.json_response(self._delete_collection(call))
            case "patch" if "apply-patch" in call.content_type and not self._find(call):
                return web.json_response(self._create(call), status=201)
        it = self._storage.get(call.resource, call.namespace, call.name)
        if call.subresource in ("", "status"):
            return web.json_response(self._do_with(call, it))
        return await self._stream(call, request, it)

    def _do_with(self, call: Call, it: Object) -> Object:
        match call.verb:
            case "get":
                return it
            case "delete":
                return self._delete(call, it)
            case _:
                return self._change(call, it)

    async def _stream(self, call: Call, request: web.Request, pod: Object) -> web.StreamResponse:
        match call.subresource:
            case "log":
                return await logs(call, request, pod, self._kubelet)
            case "exec":
                return await exec_stream(request, self._container(call, pod))
            case _ if request.headers.get("Sec-WebSocket-Protocol") == spdy.PROTOCOL:
                return await spdy.spdy_port_forward(request, self._container(call, pod))
            case _:
                return await port_forward(request, self._container(call, pod))

    def _find(self, call: Call) -> Object | None:
        return self._storage.find(call.resource, call.namespace, call.name)

    def _create(self, call: Call) -> Object:
        if not isinstance(call.body, dict):
            raise Refusal(400, "an object is expected")
        it = admit(call.resource, call.body, namespace=call.namespace)
        if call.resource.namespaced:
            self._check_namespace(call.resource, it)
        if call.is_dry_run:
            return it
        return self._storage.create(call.resource, it)

    def _check_namespace(self, resource: Resource, it: Object) -> None:
        labels = (
            self._storage.get(NAMESPACES, "", it["metadata"]["namespace"])["metadata"].get("labels")
            or {}
        )
        if resource == PODS:
            pod_security(it, labels.get("pod-security.kubernetes.io/enforce", ""))

    def _change(self, call: Call, it: Object) -> Object:
        if call.verb == "patch":
            after = patched(it, call.body, content_type=call.content_type)
        else:
            after = call.body
        # A subresource changes the status and nothing else, and the rest never changes it.
        if "status" in call.resource.subresources:
            if call.subresource:
                after = {
                    **it,
                    "status": after.get("status"),
                    "metadata": {**it["metadata"], **_revision(after)},
                }
            elif "status" in it:
                after = {**after, "status": it["status"]}
        if (
            after["metadata"].get("name") != call.name
            or after["metadata"].get("namespace", "") != call.namespace
        ):
            raise Refusal(400, "the name of the object does not match the name on the URL")
        check_update(call.resource, it, after)
        return after if call.is_dry_run else self._storage.replace(call.resource, after)

    def _delete(self, call: Call, it: Object) -> Object:
        left = self._deletion.request(call, it)
        if call.resource.plural in _RETURNED:
            return left
        details = {
            "name": call.name,
            "group": call.resource.group,
            "kind": call.resource.plural,
            "uid": it["metadata"]["uid"],
        }
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": details,
        }

    def _delete_collection(self, call: Call) -> Object:
        matches = lists.chosen(call)
        doomed = [it for it in self._storage.objects(call.resource, call.namespace) if matches(it)]
        for it in doomed:
            self._deletion.request(call, it)
        meta = {"resourceVersion": str(self._storage.revision)}
        return {
            "kind": f"{call.resource.kind}List",
            "apiVersion": call.resource.api_version,
            "metadata": meta,
            "items": doomed,
        }

    def _review(self, call: Call, user: str) -> Object:
        asked = call.body["spec"].get("resourceAttributes") or {}
        resource = asked.get("resource", "")
        if asked.get("subresource"):
            resource += f"/{asked['subresource']}"
        attempt = Attempt(
            asked.get("verb", ""),
            asked.get("group", ""),
            resource,
            asked.get("namespace", ""),
            asked.get("name", ""),
        )
        return {**call.body, "status": {"allowed": self._access.may(user, attempt)}}

    def _container(self, call: Call, pod: Object) -> Container:
        container = self._kubelet.container(pod)
        if container is not None:
            return container
        if pod["status"].get("phase") == "Pending":
            raise Refusal(
                400, f"pod {call.name} does not have a host assigned or is not running yet"
            )
        name = call.query.get("container") or pod["spec"]["containers"][0]["name"]
        raise Refusal(
            500,
            f'Internal error occurred: unable to upgrade connection: container not found ("{name}")',
        )


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _revision(it: Object) -> dict[str, Any]:
    found = (it.get("metadata") or {}).get("resourceVersion")
    return {"resourceVersion": found} if found else {}


def _name_in(body: Any) -> str:
    return ((body.get("metadata") or {}).get("name") or "") if isinstance(body, dict) else ""
