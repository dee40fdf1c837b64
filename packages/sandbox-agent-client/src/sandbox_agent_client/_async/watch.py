"""Everything that runs in the background for one session object, and its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sandbox_agent_core.errors import CallbackError
from sandbox_agent_core.events import Event, ToolCompleted

from sandbox_agent_client._async.host_tools import HostTools
from sandbox_agent_client._async.reader import Follow, Reader, Subscriber
from sandbox_agent_client._async.requests import AfterTool, AnyRequest
from sandbox_agent_client._async.responder import ListPending, Responder

__all__ = ["Watch"]

MAX_FAILURES = 64
"""Kept for prompts of this client. Other clients prompt too, and nobody asks for those."""


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
        self._listeners: set[Subscriber] = set()
        self._failures: dict[str, CallbackError] = {}
        self._tools: list[HostTools] = []

    def is_heard(self, kind: type[AnyRequest]) -> bool:
        """Somebody here may answer what the agent asks."""
        return bool(self._listeners) or any(
            responder.kind is kind and not responder.is_done for responder in self._responders
        )

    def take_failure(self, turn_id: str) -> CallbackError | None:
        """What an answering callback raised in that turn, first of all; once."""
        return self._failures.pop(turn_id, None)

    def listen(self, subscriber: Subscriber) -> Callable[[], None]:
        """The function that ends it."""
        self._listeners.add(subscriber)
        unsubscribe = self._subscribe(subscriber)

        def end() -> None:
            self._listeners.discard(subscriber)
            unsubscribe()

        return end

    def _subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
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
        self, kind: type[AnyRequest], callback: Callable[[Any], object]
    ) -> Callable[[], None]:
        """The function that ends it."""
        self._responders = [one for one in self._responders if not one.is_done]
        responder = Responder(
            f"sandbox-agent answers of {self.session_id}",
            kind,
            callback,
            self._pending,
            on_failure=self._failed,
        )
        self._responders.append(responder)
        unsubscribe = self._subscribe(Subscriber(responder.notify, after=None))

        def end() -> None:
            unsubscribe()
            responder.end()

        return end

    def observe_tools(self, callback: Callable[[AfterTool], object]) -> Callable[[], None]:
        """Tell it the ends of tool calls from now on. The function that ends it."""

        def deliver(event: Event) -> object:
            if isinstance(event, ToolCompleted):
                return callback(AfterTool.observed(event))
            return None

        return self._subscribe(Subscriber(deliver, after=None))

    def serve(self, tools: HostTools, notify: Callable[[Event], object]) -> None:
        """Tell it of calls from now on, and end it with everything else."""
        self._tools.append(tools)
        self._subscribe(Subscriber(notify, after=None))

    def _failed(self, error: CallbackError) -> None:
        turn_id = error.details.get("turnId")
        if turn_id is None:
            return
        self._failures.setdefault(turn_id, error)
        while len(self._failures) > MAX_FAILURES:
            del self._failures[next(iter(self._failures))]

    def end(self) -> None:
        """Tell everything to end, without waiting for it."""
        for responder in self._responders:
            responder.end()
        for tools in self._tools:
            tools.end()
        for reader in self._readers:
            reader.end()

    async def stop(self) -> None:
        """Nothing is left running. Called by the client when it closes."""
        self.end()
        for reader in self._readers:
            await reader.stop()
        for responder in self._responders:
            await responder.stop()
        for tools in self._tools:
            await tools.stop()
        self._readers.clear()
        self._responders.clear()
