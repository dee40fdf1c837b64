"""Everything that runs in the background for one session object, and its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sandbox_agent_client._async.reader import Follow, Reader, Subscriber
from sandbox_agent_client._async.responder import ListPending, PendingRequest, Responder

__all__ = ["Watch"]


class Watch:
    def __init__(
        self, session_id: str, *, follow: Follow, known_seq: Callable[[], int], pending: ListPending
    ) -> None:
        """`known_seq` is the newest seq that the session has heard of: where "from now" begins."""
        self.session_id = session_id
        self._follow = follow
        self._known_seq = known_seq
        self._pending = pending
        self._readers: list[Reader] = []
        self._responders: list[Responder] = []

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """The function that ends the subscription.

        One reader serves all, except a subscriber that wants events from before that reader's
        position: that one gets its own.
        """
        self._readers = [reader for reader in self._readers if not reader.is_done]
        for reader in self._readers:
            if reader.join(subscriber):
                return partial(reader.leave, subscriber)
        if subscriber.after is None:
            subscriber.after = self._known_seq()
        fresh = Reader(f"sandbox-agent reader of {self.session_id}", self._follow, subscriber.after)
        self._readers.append(fresh)
        fresh.join(subscriber)
        return partial(fresh.leave, subscriber)

    def answer(
        self, kind: type[PendingRequest], callback: Callable[[Any], object]
    ) -> Callable[[], None]:
        """The function that ends it."""
        self._responders = [one for one in self._responders if not one.is_done]
        responder = Responder(
            f"sandbox-agent answers of {self.session_id}", kind, callback, self._pending
        )
        self._responders.append(responder)
        unsubscribe = self.subscribe(Subscriber(responder.notify, after=None))

        def end() -> None:
            unsubscribe()
            responder.end()

        return end

    def end(self) -> None:
        """Tell everything to end, without waiting for it."""
        for responder in self._responders:
            responder.end()
        for reader in self._readers:
            reader.end()

    async def stop(self) -> None:
        """Nothing is left running. Called by the client when it closes."""
        self.end()
        for reader in self._readers:
            await reader.stop()
        for responder in self._responders:
            await responder.stop()
        self._readers.clear()
        self._responders.clear()
