"""Lists in pages, and watches: what there is, and what becomes of it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import itertools
import json
from typing import Any

from aiohttp import web

from support.kubernetes.refusals import Refusal
from support.kubernetes.requests import Call
from support.kubernetes.selectors import Predicate, selector
from support.kubernetes.storage import Object, Storage

__all__ = ["chosen", "page", "watch"]

# Real servers end a watch after half an hour to an hour, if its client does not say.
_WATCH_S = 1800.0


def chosen(call: Call) -> Predicate:
    """Which objects the selectors of a request are about. Raises: Refusal: 400."""
    return selector(
        labels=call.query.get("labelSelector", ""), fields=call.query.get("fieldSelector", "")
    )


def page(call: Call, storage: Storage) -> Object:
    """A list, or so many of it as `limit` says.

    Unlike the pages of a real server, which all show the moment of the first, each shows the moment it is asked for.

    Raises:
        Refusal: 400; 410, the first page is too old to go on from.
    """
    revision, after = storage.revision, None
    if token := call.query.get("continue"):
        revision, after = _read_token(token, storage)
    matches = chosen(call)
    found = (
        it for it in storage.objects(call.resource, call.namespace, after=after) if matches(it)
    )
    limit = int(call.query.get("limit") or 0)
    items = list(itertools.islice(found, limit or None))
    meta: dict[str, Any] = {"resourceVersion": str(revision)}
    if limit and next(found, None) is not None:
        last = items[-1]["metadata"]
        meta["continue"] = _token(revision, (last.get("namespace", ""), last["name"]))
    return {
        "kind": f"{call.resource.kind}List",
        "apiVersion": call.resource.api_version,
        "metadata": meta,
        "items": items,
    }


def _token(revision: int, after: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([revision, *after]).encode()).decode()


def _read_token(token: str, storage: Storage) -> tuple[int, tuple[str, str]]:
    try:
        revision, namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError):
        raise Refusal(400, "continue key is not valid") from None
    if revision < storage.oldest:
        raise Refusal(
            410,
            "The list that this continue token belongs to is forgotten. Begin a new one, or go on with what there is now by "
            "the token in metadata.continue.",
            metadata={"continue": _token(storage.revision, (namespace, name))},
        )
    return revision, (namespace, name)


async def watch(
    call: Call, request: web.Request, storage: Storage, *, bookmark_s: float
) -> web.StreamResponse:
    """Changes as they come, one JSON object a line, until `timeoutSeconds` are over.

    Raises:
        Refusal: 400; 504, the revision is not there yet.
    """
    matches = chosen(call)
    revision = int(call.query.get("resourceVersion") or 0)
    if revision > storage.revision:
        raise Refusal(504, f"Too large resource version: {revision}, current: {storage.revision}")
    stream = _Stream(call, request)
    await stream.open()
    if not revision or call.is_set("sendInitialEvents"):
        revision = storage.revision
        initial = [it for it in storage.objects(call.resource, call.namespace) if matches(it)]
        if initial:
            await stream.send(*(("ADDED", it) for it in initial))
        if call.is_set("sendInitialEvents"):
            await stream.bookmark(revision, {"k8s.io/initial-events-end": "true"})
    await stream.follow(storage, matches, since=revision, bookmark_s=bookmark_s)
    return stream.response


class _Stream:
    def __init__(self, call: Call, request: web.Request) -> None:
        self.response = web.StreamResponse(headers={"Content-Type": "application/json"})
        self._call = call
        self._request = request
        self._timeout_s = float(call.query.get("timeoutSeconds") or _WATCH_S)

    async def open(self) -> None:
        await self.response.prepare(self._request)

    async def send(self, *events: tuple[str, Object]) -> None:
        lines = [json.dumps({"type": type_, "object": it}) for type_, it in events]
        await self.response.write("".join(f"{line}\n" for line in lines).encode())

    async def bookmark(self, revision: int, annotations: dict[str, str] | None = None) -> None:
        meta: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        kind = {"kind": self._call.resource.kind, "apiVersion": self._call.resource.api_version}
        await self.send(("BOOKMARK", {**kind, "metadata": meta}))

    async def follow(
        self, storage: Storage, matches: Predicate, *, since: int, bookmark_s: float
    ) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                async for changes in storage.changes(
                    self._call.resource, since=since, idle_s=bookmark_s
                ):
                    here = (change for change in changes if self._is_here(change.object))
                    seen = [(change.seen_through(matches), change.object) for change in here]
                    if events := [(type_, it) for type_, it in seen if type_ is not None]:
                        await self.send(*events)
                    if not changes and self._call.is_set("allowWatchBookmarks"):
                        await self.bookmark(storage.revision)
        except Refusal as refusal:
            await self.send(("ERROR", refusal.status))
        except TimeoutError:
            pass

    def _is_here(self, it: Object) -> bool:
        return self._call.namespace in ("", it["metadata"].get("namespace"))
