"""The client's half of every adapter that translates: handlers for its requests, frames to the receiver."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from sandbox_agent_core.errors import AgentNotInstalled, SandboxAgentError
from sandbox_agent_core.frames import Frame, RequestId, acp
from sandbox_agent_core.frames.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    error_response,
    response,
)
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.agent import (
    TASK_STOP,
    AgentContext,
    AgentExit,
    AgentInstallation,
    FrameReceiver,
    WireFrame,
)

from sandbox_agent_server.agents.acp.mending import Unreadable
from sandbox_agent_server.agents.acp.reading import looks_shallow, read_line, unparsed, wire
from sandbox_agent_server.agents.installation import find_program, installed_version
from sandbox_agent_server.agents.native.refusals import AgentEnded, Refused
from sandbox_agent_server.agents.native.translator import Native, Output, SessionTranslator
from sandbox_agent_server.runtime.tasks import TaskOwner

__all__ = ["Answer", "Handler", "NativeAdapter", "Request"]

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=SessionTranslator)


@dataclass(frozen=True, slots=True)
class Request:
    """Of the client."""

    id: RequestId
    method: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    result: Mapping[str, Any]
    then: Sequence[Frame] = ()
    """Frames that follow the response."""


Handler = Callable[[Request], Awaitable[Answer | None]]
"""None: the translator answers, when the turn is over.

Handlers are tasks, begun in the order of the client's frames: what one does before it first waits is
done before the next begins. Raises: Refused, and what `ask` does."""


class NativeAdapter(ABC, Generic[T]):
    """An `AgentAdapter`. A subclass says who the agent is, and has the way to its process."""

    name: str
    title: str
    reported_name: str = ""
    """In `agentInfo`, when it is not `name`."""
    install_hint: str
    capabilities: Mapping[str, Any]
    auth_methods: Sequence[Mapping[str, Any]] = ()
    packages: Sequence[str] = ()
    """The npm packages that it may come in, as `installed_version` takes them."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._command: tuple[str, ...] = ()
        self._version: str | None = None
        self._receiver: FrameReceiver | None = None
        self._translator: T | None = None
        self._tasks = TaskOwner(self.name)
        self._gathered: list[WireFrame] | None = None
        self._is_closed = False
        self._has_ended = False
        self._exit = AgentExit()

    # What a subclass says

    @abstractmethod
    def _find(self, env: Mapping[str, str]) -> AgentInstallation | None: ...

    @abstractmethod
    def _handlers(self) -> Mapping[str, Handler]:
        """By method; `initialize` is here."""

    @abstractmethod
    def _answered(self, request_id: RequestId, result: Mapping[str, Any] | None) -> None:
        """The client's response to a request of the agent; None for an error."""

    @abstractmethod
    async def _cancel(self) -> None:
        """`session/cancel`."""

    @abstractmethod
    async def _stop(self) -> AgentExit:
        """End what runs. What it still says is delivered before this returns."""

    async def _stop_task(self, task_id: str) -> None:
        """`spi.agent.TASK_STOP`, about a background task that was announced."""

    async def _launch(self) -> None:
        """Run what is to run before the first request. Raises: AgentNotInstalled, AgentStartFailed."""

    def _version_at(self, path: str) -> str | None:
        return installed_version(path, *self.packages)

    # AgentAdapter

    async def start(self, receiver: FrameReceiver) -> None:
        given, env = self._context.command, self._context.env
        found = find_program(given[0], env) if given else self._find(env)
        if found is None:
            what = f"{given[0]!r} is not there." if given else f"{self.title} is not installed."
            raise AgentNotInstalled(f"{what} {self.install_hint}", agent=self.name)
        self._command = tuple(given) if given else (found.path,)
        self._version = found.version or self._version_at(found.path)
        self._receiver = receiver
        try:
            await self._launch()
        except BaseException:
            self._receiver = None
            raise

    def send(self, frame: Frame) -> None:
        if not self._is_closed and not self._has_ended:
            self._tasks.spawn(self._take(frame), name=str(frame.get("method", "answer")))

    @abstractmethod
    def pause(self) -> None: ...

    @abstractmethod
    def resume(self) -> None: ...

    async def close(self) -> AgentExit:
        self._is_closed = True
        await self._tasks.cancel()
        self._exit = await self._stop()
        self._end()
        return self._exit

    # From the client

    async def _take(self, frame: Frame) -> None:
        method, id = frame.get("method"), frame.get("id")
        if method is None and id is not None:
            result = frame.get("result")
            self._answered(id, result if isinstance(result, dict) else None)
        elif id is not None:
            self._emit(await self._handled(Request(id, str(method), as_dict(frame.get("params")))))
            self._after_answer()
        elif method == acp.SESSION_CANCEL:
            await self._cancel()
        elif method == TASK_STOP:
            with suppress(AgentEnded, Refused):  # then it is over, or its end will be told
                await self._stop_task(str(as_dict(frame.get("params")).get("taskId")))

    async def _handled(self, request: Request) -> list[Frame]:
        id = request.id
        try:
            answer = await self._handler(request.method)(request)
        except AgentEnded:
            # Not heard any more when the whole agent has ended: that is told instead.
            return [error_response(id, INTERNAL_ERROR, f"{self.title} ended before it answered")]
        except Refused as exc:
            return [error_response(id, exc.code, exc.message, exc.data)]
        except SandboxAgentError as exc:
            return [error_response(id, INTERNAL_ERROR, exc.message)]
        except Exception:
            logger.exception("%s of %s failed", request.method, self.title)
            return [error_response(id, INTERNAL_ERROR, "the adapter failed; its log says more")]
        return [] if answer is None else [response(id, dict(answer.result)), *answer.then]

    def _handler(self, method: str) -> Handler:
        """Raises: Refused."""
        if method == acp.INITIALIZE:
            return self._initialize
        handler = self._handlers().get(method)
        if handler is None:
            raise Refused(METHOD_NOT_FOUND, f"no method {method!r}")
        return handler

    async def _initialize(self, request: Request) -> Answer:
        info = {"name": self.reported_name or self.name, "title": self.title}
        if self._version is not None:
            info["version"] = self._version
        return Answer(
            {
                "protocolVersion": acp.PROTOCOL_VERSION,
                "agentCapabilities": self.capabilities,
                "agentInfo": info,
                "authMethods": list(self.auth_methods),
            }
        )

    def _after_answer(self) -> None:
        """A request has been answered."""

    def _session(self) -> T:
        """Raises: Refused."""
        if self._translator is None:
            raise Refused(INVALID_REQUEST, "there is no session yet: `session/new` comes first")
        return self._translator

    def _session_to_prompt(self) -> T:
        """Raises: Refused."""
        translator = self._session()
        if translator.is_prompted:
            raise Refused(INVALID_REQUEST, "a prompt is running; wait for its answer or cancel it")
        return translator

    # From the agent

    @contextmanager
    def _in_one_batch(self) -> Iterator[None]:
        batch = self._gathered = []
        try:
            yield
        finally:
            self._gathered = None
            self._deliver(batch)

    def _messages(self, line: bytes) -> list[tuple[bytes, Native]]:
        """Mostly one. What is none the client has been told."""
        try:
            if looks_shallow(line) and type(message := orjson.loads(line)) is dict:
                return [(line, message)]
        except ValueError:
            if not line.strip():
                return []
        try:
            values = read_line(line)
        except Unreadable as exc:
            return self._lost(line, line, str(exc))
        messages = []
        for raw, value in values:
            if isinstance(value, dict):
                messages.append((raw, value))
            else:
                self._deliver([unparsed(raw, "not a JSON object")])
        return messages

    def _lost(self, line: bytes, head: bytes, reason: str) -> list[tuple[bytes, Native]]:
        """A line that cannot be read, and what is read in its place."""
        self._deliver([unparsed(line, reason)])
        return []

    def _translate(self, translator: T, message: Native, line: bytes) -> None:
        """A message of a shape that there never was costs that message, not the session."""
        try:
            self._put_out(translator.feed(message))
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as exc:  # fmt: skip
            logger.exception("a message of %s cannot be translated", self.title)
            self._deliver([unparsed(line, f"cannot be translated: {exc!r}")])

    # Out

    def _put_out(self, output: Output) -> None:
        self._emit(output.frames)

    def _emit(self, frames: Iterable[Frame]) -> None:
        self._deliver([wire(frame) for frame in frames])

    def _deliver(self, batch: list[WireFrame]) -> None:
        if self._gathered is not None:
            self._gathered += batch
        elif batch and self._receiver is not None and not self._has_ended:
            self._receiver.frames(batch)

    def _end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            if self._receiver is not None:
                self._receiver.ended()

    def _option_texts(self, name: str) -> list[str]:
        """A list among the agent's options of the configuration."""
        value = self._context.options.get(name)
        return [str(item) for item in value] if isinstance(value, list | tuple) else []
