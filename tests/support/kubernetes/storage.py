"""The objects of a cluster and the latest changes to them, numbered: what etcd is to a real API server.

An object in here is never changed, only replaced: what a reader has got stays as it was, and so does the history.
"""

from __future__ import annotations

import asyncio
import copy
import uuid
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from support.kubernetes.refusals import Refusal
from support.kubernetes.resources import Resource
from support.kubernetes.selectors import Predicate

__all__ = ["Change", "Object", "Storage", "now"]

Object = dict[str, Any]
ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]

# So many changes are kept for those who watch; older ones are compacted.
HISTORY = 20_000


@dataclass(frozen=True, slots=True)
class Change:
    """One change; `before` is what the object was, for those who did not see it then or do not see it now."""

    revision: int
    type: ChangeType
    resource: Resource
    object: Object
    before: Object | None

    def seen_through(self, matches: Predicate) -> ChangeType | None:
        """What it is to somebody who sees only what matches: an object can come into sight, and leave it."""
        was = self.before is not None and matches(self.before)
        if self.type == "DELETED":
            return "DELETED" if was else None
        if matches(self.object):
            return "MODIFIED" if was else "ADDED"
        return "DELETED" if was else None


def now() -> str:
    """The time, as objects carry it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Storage:
    """Objects by kind, namespace and name. Belongs to one event loop."""

    def __init__(self) -> None:
        self.revision = 1
        self.oldest = 1  # a watch from before it is refused
        self._objects: dict[Resource, dict[tuple[str, str], Object]] = defaultdict(dict)
        self._history: list[Change] = []
        self._watchers: set[asyncio.Event] = set()
        self._listeners: list[Callable[[Change], None]] = []
        self._owned: dict[str, set[tuple[Resource, str, str]]] = defaultdict(set)

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Controllers: called with every change, after it is there."""
        self._listeners.append(listener)

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """Raises: Refusal: 404."""
        try:
            return self._objects[resource][namespace, name]
        except KeyError:
            raise Refusal.not_found(resource.plural, name, group=resource.group) from None

    def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self._objects[resource].get((namespace, name))

    def objects(
        self, resource: Resource, namespace: str = "", *, after: tuple[str, str] | None = None
    ) -> Iterator[Object]:
        """In the order of their names, those after a key only; of all namespaces if none is given."""
        here = self._objects[resource]
        for key in sorted(here):
            if (after is None or key > after) and (not namespace or key[0] == namespace):
                yield here[key]

    def create(self, resource: Resource, it: Object) -> Object:
        """Raises: Refusal: 409, there is one of this name."""
        it = {**it, "metadata": {**it["metadata"]}}
        meta = it["metadata"]
        key = (meta.get("namespace", ""), meta["name"])
        if key in self._objects[resource]:
            raise Refusal(
                409,
                f'{resource.plural} "{meta["name"]}" already exists',
                reason="AlreadyExists",
                details={"name": meta["name"], "group": resource.group, "kind": resource.plural},
            )
        it |= {"kind": resource.kind, "apiVersion": resource.api_version}
        meta |= {"uid": str(uuid.uuid4()), "creationTimestamp": now(), "generation": 1}
        return self._put("ADDED", resource, it, before=None)

    def replace(self, resource: Resource, it: Object) -> Object:
        """The object as given, if it is of the revision that is there, or names none.

        Raises:
            Refusal: 404; 409, it was changed meanwhile.
        """
        meta = it["metadata"]
        before = self.get(resource, meta.get("namespace", ""), meta["name"])
        if meta.get("resourceVersion") not in (None, "", before["metadata"]["resourceVersion"]):
            raise Refusal(
                409,
                f'Operation cannot be fulfilled on {resource.plural} "{meta["name"]}": the object has been modified; '
                "please apply your changes to the latest version and try again",
                details={"name": meta["name"], "group": resource.group, "kind": resource.plural},
            )
        it = {**it, "metadata": {**it["metadata"]}}
        for given in ("uid", "creationTimestamp", "generation"):
            it["metadata"][given] = before["metadata"][given]
        it["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        if it == before:
            return before
        if it.get("spec") != before.get("spec"):
            it["metadata"]["generation"] += 1
        return self._put("MODIFIED", resource, it, before=before)

    def edit(
        self, resource: Resource, it: Object, change: Callable[[Object], None]
    ) -> Object | None:
        """`change` a copy of what the object is by now. None when it is gone, or when another has its name."""
        meta = it["metadata"]
        current = self.find(resource, meta.get("namespace", ""), meta["name"])
        if current is None or current["metadata"]["uid"] != meta["uid"]:
            return None
        edited = copy.deepcopy(current)
        change(edited)
        return self.replace(resource, edited)

    def remove(self, resource: Resource, it: Object) -> None:
        """Gone already is fine."""
        meta = it["metadata"]
        key = (meta.get("namespace", ""), meta["name"])
        before = self._objects[resource].get(key)
        if before is None or before["metadata"]["uid"] != meta["uid"]:
            return
        del self._objects[resource][key]
        self._put(
            "DELETED", resource, {**before, "metadata": {**before["metadata"]}}, before=before
        )

    def owned_by(self, uid: str) -> list[tuple[Resource, Object]]:
        """What names this object as an owner."""
        found = [
            (resource, self.find(resource, *key))
            for resource, *key in sorted(self._owned.get(uid, ()), key=str)
        ]
        return [(resource, it) for resource, it in found if it is not None]

    def compact(self) -> None:
        """Forget the history: whoever watches from before now has to list again."""
        self._history.clear()
        self.oldest = self.revision

    def expire_watches(self) -> None:
        """End every open watch with 410, as if it had been too slow for the history."""
        self.revision += 1
        self.compact()
        for news in self._watchers:
            news.set()

    async def changes(
        self, resource: Resource, *, since: int, idle_s: float
    ) -> AsyncGenerator[list[Change]]:
        """Those after a revision, as they come; an empty list after each `idle_s` without one.

        Raises:
            Refusal: 410, they were compacted.
        """
        with self._watching() as news:
            while True:
                if since < self.oldest:
                    raise Refusal.expired(since, self.oldest)
                news.clear()
                fresh = self._after(since)
                since = self.revision
                if ours := [each for each in fresh if each.resource == resource]:
                    yield ours
                    continue
                try:
                    await asyncio.wait_for(news.wait(), idle_s)
                except TimeoutError:
                    yield []

    @contextmanager
    def _watching(self) -> Iterator[asyncio.Event]:
        news = asyncio.Event()
        self._watchers.add(news)
        try:
            yield news
        finally:
            self._watchers.discard(news)

    def _after(self, revision: int) -> list[Change]:
        if not self._history:
            return []
        return self._history[max(0, revision + 1 - self._history[0].revision) :]

    def _put(
        self, type_: ChangeType, resource: Resource, it: Object, *, before: Object | None
    ) -> Object:
        self.revision += 1
        meta = it["metadata"]
        meta["resourceVersion"] = str(self.revision)
        key = (meta.get("namespace", ""), meta["name"])
        if type_ != "DELETED":
            self._objects[resource][key] = it
        self._index(resource, key, it if type_ != "DELETED" else None, before)
        change = Change(self.revision, type_, resource, it, before)
        self._history.append(change)
        if len(self._history) > 2 * HISTORY:
            del self._history[:HISTORY]
            self.oldest = self._history[0].revision - 1
        for news in self._watchers:
            news.set()
        for listener in self._listeners:
            listener(change)
        return it

    def _index(
        self, resource: Resource, key: tuple[str, str], it: Object | None, before: Object | None
    ) -> None:
        for owner in _owners(before):
            self._owned[owner].discard((resource, *key))
            if not self._owned[owner]:
                del self._owned[owner]
        for owner in _owners(it):
            self._owned[owner].add((resource, *key))


def _owners(it: Object | None) -> list[str]:
    return [
        each["uid"] for each in (it or {"metadata": {}})["metadata"].get("ownerReferences") or []
    ]
