# Generated from `_async/host_tools.py` by `scripts/unasync.py`: do not edit.
"""Runs functions of this program that the agent of a session calls.

It asks the server which calls are open instead of trusting the stream, as a responder does: so a call from before a
connection broke is carried out, and its result given, once.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

from sandbox_agent_core.errors import (
    Conflict,
    RequestNotFound,
    SandboxAgentError,
    SessionNotFound,
)
from sandbox_agent_core.events import Event as SessionEvent
from sandbox_agent_core.events import HostToolCalled

from sandbox_agent_client._calls import host_tools as calls
from sandbox_agent_client._calls.call import Call as Request
from sandbox_agent_client._resume import is_fatal
from sandbox_agent_client._sync._backend import Background, Event, run_function
from sandbox_agent_client._sync.interrupt import Interrupt
from sandbox_agent_client._sync.requests import HostToolCallSync
from sandbox_agent_client._sync.responder import ListPending
from sandbox_agent_client.tools import Tool, registration, result_of

__all__ = ["HostTools"]

logger = logging.getLogger(__name__)

Call = Callable[[Request[Any]], Any]
RETRY_S = 1.0
_OVER = (Conflict, RequestNotFound, SessionNotFound)
"""Nobody waits for the result any more. A request that was resolved is a conflict, too."""


class HostTools:
    """Of one session object."""

    def __init__(
        self,
        call: Call,
        session_id: str,
        *,
        pending: ListPending,
        begin: Callable[[Callable[[SessionEvent], object]], object],
    ) -> None:
        """`begin` subscribes to the events of the session from now on."""
        self._call = call
        self._session_id = session_id
        self._pending = pending
        self._begin = begin
        self._client = secrets.token_hex(16)
        self._tools: dict[str, Tool] = {}
        self._is_due = False
        """There are some that the agent does not know yet."""
        self._taken: set[str] = set()
        self._interrupt = Interrupt()
        self._wake = Event()
        self._background: Background | None = None
        self._at_work: list[Background] = []

    def add(self, tool: Tool) -> None:
        """To be registered before the next turn. One of the name is replaced."""
        self._tools[tool.name] = tool
        self._is_due = True

    def registered(self, client: str, tools: list[Tool]) -> None:
        """The server has them already, from this client."""
        self._client = client
        self._tools = {tool.name: tool for tool in tools}
        self._listen()

    def register(self) -> None:
        """What was added since. Raises: what the server says of it."""
        if not self._is_due:
            return
        self._listen()
        request = registration([*self._tools.values()], client=self._client)
        self._call(calls.register(self._session_id, request))
        self._is_due = False

    def end(self) -> None:
        self._interrupt.set()
        self._wake.set()

    def stop(self) -> None:
        """Nothing is left running."""
        self.end()
        if self._background is not None:
            self._background.stop()
        for one in self._at_work:
            one.stop()

    def _listen(self) -> None:
        if self._background is None:
            self._begin(self._notify)
            self._wake.set()  # what is open already
            self._background = Background(f"sandbox-agent tools of {self._session_id}", self._run)

    def _notify(self, event: SessionEvent) -> None:
        if isinstance(event, HostToolCalled) and event.client == self._client:
            self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._interrupt.is_set:
                return
            try:
                self._take_all()
            except SandboxAgentError as exc:
                if is_fatal(exc):
                    logger.error("tools of %s end: %s", self._session_id, exc)
                    return
                logger.warning("tools of %s: trying again: %s", self._session_id, exc)
                self._interrupt.sleep(RETRY_S)
                self._wake.set()

    def _take_all(self) -> None:
        self._at_work = [one for one in self._at_work if not one.is_done]
        for call in self._pending():
            if not isinstance(call, HostToolCallSync) or call.info.client != self._client:
                continue
            if call.id not in self._taken:
                self._taken.add(call.id)
                self._at_work.append(
                    Background(f"sandbox-agent tool {call.id}", _Work(self, call).run)
                )

    def say(self, call: HostToolCallSync, **members: Any) -> float | None:
        """The seconds of the lease; None when nobody waits for it any more. Raises: SandboxAgentError."""
        try:
            said = calls.answer(self._session_id, call.id, client=self._client, **members)
            lease_s: float = (self._call(said)).lease_s
            return lease_s
        except _OVER as exc:
            logger.debug("tools of %s: %s is over: %s", self._session_id, call.id, exc)
            return None

    def tool(self, name: str) -> Tool | None:
        return self._tools.get(name)

    @property
    def interrupt(self) -> Interrupt:
        return self._interrupt


class _Work:
    """One call: its function runs, and meanwhile the server is told that it does."""

    def __init__(self, tools: HostTools, call: HostToolCallSync) -> None:
        self._tools = tools
        self._call = call
        self._result: dict[str, Any] = {}
        self._is_done = Event()

    def run(self) -> None:
        lease_s = self._say()
        if lease_s is None:
            return
        work = Background(f"sandbox-agent function {self._call.id}", self._carry_out)
        try:
            while not self._is_done.wait(lease_s / 3):
                if self._tools.interrupt.is_set or self._say() is None:
                    return
            self._say(**self._result)
        finally:
            if self._is_done.is_set():
                work.stop()

    def _say(self, **members: Any) -> float | None:
        """Until the server has heard it, or nobody wants to know."""
        while not self._tools.interrupt.is_set:
            try:
                return self._tools.say(self._call, **members)
            except SandboxAgentError as exc:
                if is_fatal(exc):
                    logger.error("%s: its result cannot be given: %s", self._call.id, exc)
                    return None
                self._tools.interrupt.sleep(RETRY_S)
        return None

    def _carry_out(self) -> None:
        self._result = self._outcome()
        self._is_done.set()

    def _outcome(self) -> dict[str, Any]:
        tool = self._tools.tool(self._call.tool)
        if tool is None:
            return _failed(f"There is no function {self._call.tool!r} any more.")
        try:
            arguments = tool.read(self._call.input)
        except ValueError as exc:
            return _failed(f"These arguments do not fit: {exc}")
        try:
            return result_of(run_function(tool.function, arguments))
        except Exception as exc:  # noqa: BLE001 - the model is told, and can do something about it
            logger.warning("tool %s failed: %r", tool.name, exc)
            return _failed(f"{type(exc).__name__}: {exc}")


def _failed(why: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": why}], "is_error": True}
