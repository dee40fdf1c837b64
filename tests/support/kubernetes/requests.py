"""A request as the server understands it: who wants to do what to which object. The log of requests is made of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import yaml
from aiohttp import web

from support.kubernetes.access import Attempt
from support.kubernetes.refusals import Refusal
from support.kubernetes.resources import Resource, Resources

__all__ = ["Call", "Request", "parse"]


@dataclass(slots=True)
class Request:
    """One line of the log. `verb` and `resource` as RBAC names them: `create`, `pods/exec`; empty for discovery."""

    method: str
    path: str
    query: str
    user: str = ""
    verb: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    content_type: str = ""
    user_agent: str = ""
    body: Any = None
    status: int = 0  # of the answer; 0 until there is one

    def __str__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"{self.method} {self.path}{query} -> {self.status}"


@dataclass(frozen=True, slots=True)
class Call:
    """What a path and a method mean."""

    resource: Resource
    verb: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = ""

    @property
    def full_resource(self) -> str:
        return (
            f"{self.resource.plural}/{self.subresource}"
            if self.subresource
            else self.resource.plural
        )

    @property
    def attempt(self) -> Attempt:
        return Attempt(
            self.verb, self.resource.group, self.full_resource, self.namespace, self.name
        )

    def is_set(self, name: str) -> bool:
        """A parameter that is true: Python writes it with a capital letter."""
        return self.query.get(name, "").lower() in ("true", "1")

    @property
    def is_dry_run(self) -> bool:
        options = (
            self.body if self.verb.startswith("delete") and isinstance(self.body, dict) else {}
        )
        return "dryRun" in self.query or bool(options.get("dryRun"))


def parse(request: web.Request, content: bytes, resources: Resources) -> Call:
    """Raises: Refusal: 404, 405, 415 or 400: there is no such path, method or format."""
    resource, namespace, name, subresource = _target(request.path, resources)
    query = dict(request.query)
    verb = _verb(
        request.method,
        is_named=bool(name),
        is_watch=query.get("watch", "").lower() in ("true", "1"),
    )
    allowed = resource.subresources.get(subresource) if subresource else resource.verbs
    if allowed is None:
        raise Refusal.no_such_path()
    if verb not in allowed:
        raise Refusal(405, "the server does not allow this method on the requested resource")
    content_type = request.headers.get("Content-Type", "")
    body = _decode(content, content_type)
    return Call(resource, verb, namespace, name, subresource, query, body, content_type)


def _target(path: str, resources: Resources) -> tuple[Resource, str, str, str]:
    match path.strip("/").split("/"):
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            raise Refusal.no_such_path()
    namespace = ""
    match rest:
        case ["namespaces", namespace, plural, *rest] if plural not in ("status", "finalize"):
            pass
        case [plural, *rest]:
            pass
        case _:
            raise Refusal.no_such_path()
    resource = resources.find(group, version, plural)
    if resource is None or len(rest) > 2 or (bool(namespace) and not resource.namespaced):
        raise Refusal.no_such_path()
    name, subresource = [*rest, "", ""][:2]
    return resource, namespace, name, subresource


def _verb(method: str, *, is_named: bool, is_watch: bool) -> str:
    match method, is_named:
        case "GET", True:
            return "get"
        case "GET", False:
            return "watch" if is_watch else "list"
        case "POST", _:
            return "create"
        case "PUT", True:
            return "update"
        case "PATCH", True:
            return "patch"
        case "DELETE", True:
            return "delete"
        case "DELETE", False:
            return "deletecollection"
        case _:
            raise Refusal(405, "the server does not allow this method on the requested resource")


def _decode(content: bytes, content_type: str) -> Any:
    if not content:
        return None
    if "protobuf" in content_type:
        raise Refusal(
            415, "the body of the request was in an unknown format: protobuf is not modelled here"
        )
    try:
        return yaml.safe_load(content) if "yaml" in content_type else json.loads(content)
    except (ValueError, yaml.YAMLError) as error:
        raise Refusal(400, f"the object provided is unrecognized: {error}") from error
