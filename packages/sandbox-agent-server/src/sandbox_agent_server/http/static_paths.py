"""Routes whose path has no parameter, found at once: a router asks each of its routes in turn, and there are many."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

__all__ = ["StaticPaths"]


class StaticPaths(BaseRoute):
    """The first route of a router; what it does not know goes on to the others, which are asked in turn as ever."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes: dict[tuple[str, str], Route] = {}
        for route in routes:
            if isinstance(route, Route) and "{" not in route.path:
                for method in route.methods or ():
                    self._routes.setdefault((method, route.path), route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        route = self._find(scope)
        return (Match.NONE, {}) if route is None else route.matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._find(scope)
        assert route is not None, "it has matched"
        await route.handle(scope, receive, send)

    def _find(self, scope: Scope) -> Route | None:
        return (
            self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        )
