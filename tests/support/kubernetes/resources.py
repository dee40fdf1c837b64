"""The kinds of objects that the server knows, and how it tells clients of them: discovery and OpenAPI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "AGENT_SANDBOX",
    "CLAIMS",
    "CORE",
    "EVENTS",
    "NAMESPACES",
    "PODS",
    "POOLS",
    "SANDBOXES",
    "SECRETS",
    "TEMPLATES",
    "VOLUME_CLAIMS",
    "Resource",
    "Resources",
]

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of objects; `subresources` with the verbs of each."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: dict[str, list[str]] = field(default_factory=dict, compare=False)
    verbs: list[str] = field(default_factory=lambda: _VERBS, compare=False)

    @property
    def api_version(self) -> str:
        """As objects name it: `v1`, `networking.k8s.io/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """The path that all paths of its group and version begin with."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"


_STATUS = {"status": ["get", "patch", "update"]}

PODS = Resource(
    "",
    "v1",
    "pods",
    "Pod",
    short=("po",),
    subresources={
        **_STATUS,
        "log": ["get"],
        "exec": ["create", "get"],
        "portforward": ["create", "get"],
    },
)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False, short=("ns",))
SECRETS = Resource("", "v1", "secrets", "Secret")
VOLUME_CLAIMS = Resource(
    "",
    "v1",
    "persistentvolumeclaims",
    "PersistentVolumeClaim",
    short=("pvc",),
    subresources=_STATUS,
)
EVENTS = Resource("", "v1", "events", "Event", short=("ev",))
SANDBOXES = Resource("agents.x-k8s.io", "v1beta1", "sandboxes", "Sandbox", subresources=_STATUS)
TEMPLATES = Resource("extensions.agents.x-k8s.io", "v1beta1", "sandboxtemplates", "SandboxTemplate")
CLAIMS = Resource(
    "extensions.agents.x-k8s.io", "v1beta1", "sandboxclaims", "SandboxClaim", subresources=_STATUS
)
POOLS = Resource(
    "extensions.agents.x-k8s.io",
    "v1beta1",
    "sandboxwarmpools",
    "SandboxWarmPool",
    short=("swp",),
    subresources=_STATUS,
)

CORE = (
    NAMESPACES,
    PODS,
    EVENTS,
    SECRETS,
    Resource("", "v1", "services", "Service", short=("svc",)),
    VOLUME_CLAIMS,
    Resource("", "v1", "serviceaccounts", "ServiceAccount", short=("sa",)),
    Resource("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", short=("netpol",)),
    Resource("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", namespaced=False),
    Resource(
        "authorization.k8s.io",
        "v1",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        namespaced=False,
        verbs=["create"],
    ),
)
AGENT_SANDBOX = (SANDBOXES, TEMPLATES, CLAIMS, POOLS)


class Resources:
    """The table of kinds of one server."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._by_path = {(each.group, each.version, each.plural): each for each in resources}

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_path.values())

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_path.get((group, version, plural))

    def discovery(self, path: str) -> dict[str, Any] | None:
        """What `/api`, `/apis`, `/version`, a group's version or OpenAPI answer; none for other paths."""
        match path.strip("/").split("/"):
            case ["version"]:
                return {
                    "major": "1",
                    "minor": "35",
                    "gitVersion": "v1.35.0",
                    "platform": "linux/amd64",
                }
            case ["api"]:
                return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
            case ["apis"]:
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": self._groups()}
            case ["openapi", "v3"]:
                return {
                    "paths": {
                        root: {"serverRelativeURL": f"/openapi/v3/{root}?hash=1"}
                        for root in self._roots()
                    }
                }
            case ["openapi", "v3", *root] if "/".join(root) in self._roots():
                return self._openapi("/" + "/".join(root))
            case _:
                return self._resource_list(path.rstrip("/"))

    def _roots(self) -> list[str]:
        return list(dict.fromkeys(each.root.strip("/") for each in self._by_path.values()))

    def _groups(self) -> list[dict[str, Any]]:
        versions = {each.group: each for each in self._by_path.values() if each.group}
        entries = []
        for group, resource in versions.items():
            version = {"groupVersion": resource.api_version, "version": resource.version}
            entries.append({"name": group, "versions": [version], "preferredVersion": version})
        return entries

    def _resource_list(self, root: str) -> dict[str, Any] | None:
        here = [each for each in self._by_path.values() if each.root == root]
        if not here:
            return None
        entries = []
        for each in here:
            common = {"namespaced": each.namespaced, "kind": each.kind}
            entries.append(
                {
                    "name": each.plural,
                    "singularName": each.kind.lower(),
                    "verbs": each.verbs,
                    "shortNames": list(each.short),
                    **common,
                }
            )
            for name, verbs in each.subresources.items():
                entries.append(
                    {"name": f"{each.plural}/{name}", "singularName": "", "verbs": verbs, **common}
                )
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": here[0].api_version,
            "resources": entries,
        }

    def _openapi(self, root: str) -> dict[str, Any]:
        """Just what makes kubectl leave validation to the server: PATCH has the parameter `fieldValidation`."""
        paths = {}
        for each in self._by_path.values():
            if each.root != root:
                continue
            within = "/namespaces/{namespace}" if each.namespaced else ""
            paths[f"{root}{within}/{each.plural}/{{name}}"] = {
                "patch": {
                    "parameters": [
                        {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
                    ],
                    "responses": {"200": {"description": "OK"}},
                    "x-kubernetes-action": "patch",
                    "x-kubernetes-group-version-kind": {
                        "group": each.group,
                        "version": each.version,
                        "kind": each.kind,
                    },
                }
            }
        return {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": "v1.35.0"},
            "paths": paths,
            "components": {"schemas": {}},
        }
