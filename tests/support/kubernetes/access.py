"""Who asks, and what he may do: tokens, names on certificates, and rules as a Role writes them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from support.kubernetes.refusals import Refusal

__all__ = ["Access", "Attempt"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is asked to do: `resource` with its subresource, as `pods/exec`."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    def refused(self, user: str) -> Refusal:
        plural = self.resource.partition("/")[0]
        of = f"{plural}.{self.group}" if self.group else plural
        where = (
            f' in the namespace "{self.namespace}"' if self.namespace else " at the cluster scope"
        )
        return Refusal(
            403,
            f"{of}{f' {chr(34)}{self.name}{chr(34)}' if self.name else ''} is forbidden: "
            f'User "{user}" cannot {self.verb} resource "{self.resource}" in API group "{self.group}"{where}',
            details={"name": self.name, "group": self.group, "kind": plural},
        )


@dataclass(slots=True)
class _User:
    token: str
    # A Role's rules, each with the namespace it is bound in; none for one who may do everything.
    rules: list[tuple[str, dict[str, Any]]] | None = None
    denied: set[tuple[str, str]] = field(default_factory=set)

    def may(self, attempt: Attempt) -> bool:
        if (attempt.verb, attempt.resource) in self.denied:
            return False
        if self.rules is None:
            return True
        return any(
            namespace in ("", attempt.namespace)
            and _names(rule, "verbs", attempt.verb)
            and _names(rule, "apiGroups", attempt.group)
            and _names(rule, "resources", attempt.resource)
            and (not rule.get("resourceNames") or attempt.name in rule["resourceNames"])
            for namespace, rule in self.rules
        )


class Access:
    """The users. The first, `admin`, may do everything until told otherwise."""

    def __init__(self) -> None:
        self._users: dict[str, _User] = {}
        self.add("admin")

    def add(self, user: str) -> str:
        """His token; he may do everything until `bind` says what."""
        self._users[user] = _User(secrets.token_urlsafe(24))
        return self._users[user].token

    def token(self, user: str = "admin") -> str:
        return self._users[user].token

    def renew(self, user: str = "admin") -> str:
        """A new token; the one before is refused from now on."""
        self._users[user].token = secrets.token_urlsafe(24)
        return self._users[user].token

    def bind(
        self, rules: Iterable[dict[str, Any]], *, user: str = "admin", namespace: str = ""
    ) -> None:
        """Give a Role's `rules`, in one namespace or in all. The first time takes everything else from him."""
        here = self._users[user]
        here.rules = [*(here.rules or ()), *((namespace, rule) for rule in rules)]

    def deny(self, verb: str, resource: str, *, user: str = "admin") -> None:
        """Take one right, whatever the rules say."""
        self._users[user].denied.add((verb, resource))

    def user_of(self, request: web.Request) -> str:
        """Raises: Refusal: 401."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if (
            scheme.lower() == "bearer"
        ):  # the official client writes it in lower case inside of a cluster
            for name, user in self._users.items():
                if secrets.compare_digest(user.token.encode(), token.strip().encode()):
                    return name
        elif not scheme:
            certificate = request.get_extra_info("peercert") or {}
            for ((key, value),) in certificate.get("subject", ()):
                if key == "commonName" and value in self._users:
                    return str(value)
        raise Refusal(401, "Unauthorized")

    def may(self, user: str, attempt: Attempt) -> bool:
        return self._users[user].may(attempt)

    def check(self, user: str, attempt: Attempt) -> None:
        """Raises: Refusal: 403, naming the verb."""
        if not self.may(user, attempt):
            raise attempt.refused(user)


def _names(rule: dict[str, Any], key: str, value: str) -> bool:
    return bool({"*", value} & set(rule.get(key) or ()))
