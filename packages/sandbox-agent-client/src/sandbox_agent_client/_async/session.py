"""One session: prompts, events, decisions, settings."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args, overload

from sandbox_agent_core.api.git import SessionDiff
from sandbox_agent_core.api.long_work import RewindResult
from sandbox_agent_core.api.policy import PermissionPolicy
from sandbox_agent_core.api.requests import OnReject, Reply, Resolution, Scope
from sandbox_agent_core.api.sessions import SessionInfo
from sandbox_agent_core.errors import InvalidRequest, SandboxAgentError
from sandbox_agent_core.events import Event
from sandbox_agent_core.exports import SessionExport
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project
from sandbox_agent_core.view import Transcript, render_markdown

from sandbox_agent_client._async._backend import CALLBACKS_MAY_BE_ASYNC
from sandbox_agent_client._async.connection import PAGE_ENTRIES, Connection
from sandbox_agent_client._async.host_tools import HostTools
from sandbox_agent_client._async.interrupt import Interrupt
from sandbox_agent_client._async.prompting import Prompting
from sandbox_agent_client._async.reader import Subscriber
from sandbox_agent_client._async.requests import (
    AfterTool,
    AnswerValue,
    AnyRequest,
    BeforeTool,
    PermissionRequest,
    QuestionRequest,
    request_of,
)
from sandbox_agent_client._async.turns import SessionTurns
from sandbox_agent_client._async.watch import Watch
from sandbox_agent_client._callbacks import check_callback
from sandbox_agent_client._calls import event_texts, long_work
from sandbox_agent_client._calls import events as event_calls
from sandbox_agent_client._calls import git as git_calls
from sandbox_agent_client._calls import requests as request_calls
from sandbox_agent_client._calls import sessions as calls
from sandbox_agent_client._directories import directory
from sandbox_agent_client._spelling import no_attribute
from sandbox_agent_client.mcp import McpServers
from sandbox_agent_client.tools import Approve, Tool, tools_of

__all__ = ["Session"]

ExportFormat: TypeAlias = Literal["markdown", "jsonl", "atif", "inspect"]
Function = TypeVar("Function", bound=Callable[..., Any])


class Session(Prompting):
    """Made by the client. Methods raise `SandboxAgentError`s; the session lives on at the server."""

    def __init__(self, connection: Connection, info: SessionInfo) -> None:
        self._connection = connection
        self._info = info
        self._known_seq = info.last_seq
        self._watch = Watch(
            info.id,
            follow=self._follow,
            known_seq=lambda: self._known_seq,
            pending=self.requests,
        )
        self._tools = HostTools(connection.call, info.id, pending=self.requests, begin=self._serve)
        super().__init__(
            SessionTurns(
                connection,
                self._watch,
                info=lambda: self._info,
                heard_of=self._heard_of,
                follow=partial(self._follow, is_awaited=True),
                pending=self.requests,
                prepare=self._tools.register,
            )
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self._info.agent} {self._info.status}>"

    if not TYPE_CHECKING:  # whose checkers know what there is

        def __getattr__(self, name: str) -> Any:
            raise no_attribute(self, name)

    @property
    def id(self) -> str:
        return self._info.id

    @property
    def title(self) -> str | None:
        """What people call it, or its agent does; as `info`."""
        return self._info.title

    @property
    def info(self) -> SessionInfo:
        """As of the last answer of the server; `refresh` asks again."""
        return self._info

    # -- events

    def on_event(
        self,
        callback: Callable[[Event], Awaitable[object] | object],
        *,
        after: int | None = None,
        on_error: Callable[[SandboxAgentError], Awaitable[object] | object] | None = None,
    ) -> Callable[[], None]:
        """Call back with every event, one at a time, in the background. Returns what ends it.

        Starts after seq `after`; by default after the newest event that this object has heard of, so
        nothing that follows is missed. `on_error` is told when the stream cannot go on. A callback that raises
        is logged, and called with the next event all the same.

        Raises:
            TypeError: `callback` cannot be called with an event.
        """
        self._check(callback, "on_event", "the event")
        if on_error is not None:
            self._check(on_error, "on_error", "the error")
        self._connection.watching(self._watch)
        return self._watch.listen(Subscriber(callback, after=after, on_error=on_error))

    async def events(
        self,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
        deltas: bool = True,
        reverse: bool = False,
    ) -> AsyncGenerator[Event, None]:
        """What is in the log now, and then ends. `deltas=False` leaves out what is repeated whole later.

        Oldest first, from the one behind seq `after` to the one in front of seq `before`. `reverse`: newest first, and
        no more is fetched than is looked at, however long the session is:

            [newest] = [event async for event in session.events(reverse=True, limit=1)]
        """
        given = 0
        history = (
            self._connection.history_backwards(
                self._info, after, before, deltas=deltas, wanted=limit
            )
            if reverse
            else self._connection.history(self._info, after, deltas=deltas)
        )
        async with aclosing(history) as entries:
            async for entry in entries:
                if given == limit or (before is not None and entry.seq >= before):
                    return
                event = project(entry)
                if event is not None:
                    given += 1
                    yield event

    async def stream(self, *, after: int | None = None) -> AsyncGenerator[Event, None]:
        """Every event after seq `after`, then live ones, without an end.

        By default from the newest event that this object has heard of. Reconnects by itself.
        """
        async with aclosing(self.frames(after=after)) as entries:
            async for entry in entries:
                event = project(entry)
                if event is not None:
                    yield event

    async def frames(self, *, after: int | None = None) -> AsyncGenerator[LogEntry, None]:
        """As `stream`, but every entry of the log with the raw JSON-RPC frame."""
        start = self._known_seq if after is None else after
        async with aclosing(self._follow(start, Interrupt())) as entries:
            async for entry in entries:
                yield entry

    async def transcript(self) -> Transcript:
        """The session so far as messages, tool calls, plan and usage. What is just being said is in it, as an item
        with `streaming`."""
        await self._turns.left_behind()
        return await self._connection.call(event_calls.transcript(self.id))

    async def export(self, format: ExportFormat = "markdown") -> str:
        """The session so far as a text to keep or to send to somebody.

        `markdown` is for reading: for an issue or a review. What the agent wrote is no markup of the document around it.
        `atif` is a trajectory in the Agent Trajectory Interchange Format, `inspect` a log of Inspect, both JSON. What looks
        like a credential is masked in these three. `jsonl` is for programs: an event in each line, byte for byte as the API
        has it, with nothing left out.

        Raises:
            InvalidRequest: there is no such format.
        """
        if format == "markdown":
            return render_markdown(await self.transcript())
        if format in ("atif", "inspect"):
            export = SessionExport()
            async for event in self.events():
                export.apply(event)
            told = export.atif().trajectory if format == "atif" else export.inspect()
            return json.dumps(told, ensure_ascii=False)
        if format != "jsonl":
            known = ", ".join(repr(name) for name in get_args(ExportFormat))
            raise InvalidRequest(f"`format` must be one of {known}, not {format!r}.")
        texts: list[str] = []
        after, has_more = 0, True
        while has_more:
            call = event_texts.page_of_texts(self.id, after, limit=PAGE_ENTRIES)
            async with self._connection.open(call) as response:
                page = event_texts.read_texts(await response.aread())
            texts += page.texts
            after, has_more = page.next_cursor, page.has_more
        return "".join(f"{text}\n" for text in texts)

    # -- decisions

    def on_permission(
        self, callback: Callable[[PermissionRequest], Awaitable[object] | object]
    ) -> Callable[[], None]:
        """Call back with every permission that the agent waits for, also those it waits for already.

        One at a time. When somebody else answers first, that is no error. When the callback raises, or returns
        a `bool`, a text or the like instead of answering, the request is refused, the log says why, and the
        `prompt` of that turn raises `CallbackError`. One that returns nothing may answer later.
        Returns what ends it.

        Raises:
            TypeError: `callback` cannot be called with a request.
        """
        self._check(callback, "on_permission", "the request")
        self._connection.watching(self._watch)
        return self._watch.answer(PermissionRequest, callback)

    def on_question(
        self, callback: Callable[[QuestionRequest], Awaitable[object] | object]
    ) -> Callable[[], None]:
        """As `on_permission`, for questions. Raises: TypeError."""
        self._check(callback, "on_question", "the request")
        self._connection.watching(self._watch)
        return self._watch.answer(QuestionRequest, callback)

    def on_tool(
        self,
        *,
        before: Callable[[BeforeTool], Awaitable[object] | object] | None = None,
        after: Callable[[AfterTool], Awaitable[object] | object] | None = None,
    ) -> Callable[[], None]:
        """Call back before and after the tools of the agent, in a session that was made with `hooks`.

        `before` allows, denies, changes the input, or asks a person; one that does nothing has no opinion. Of an agent
        without hooks it sees what the agent asks a permission for (`info.hooks` says how). `after` can add to what the
        model is told; of an agent without hooks it only sees (`AfterTool.has_effect`). A hook waits for its answer
        as a permission does, also while nobody is connected. A callback that raises fails as those of `on_permission` do
        (before a tool it does not run then), and one that only sees as those of `on_event`.
        Returns what ends it.

        Raises:
            TypeError: there is no callback, or one cannot be called with a request.
            InvalidRequest: the session was not made with that hook.
        """
        if before is None and after is None:
            raise TypeError("`on_tool` takes `before`, `after`, or both.")
        ends: list[Callable[[], None]] = []
        if before is not None:
            self._check(before, "on_tool(before=…)", "the tool")
            self._check_hook("before_tool", self._info.hooks.before_tool)
        if after is not None:
            self._check(after, "on_tool(after=…)", "the tool")
            self._check_hook("after_tool", self._info.hooks.after_tool)
        self._connection.watching(self._watch)
        if before is not None:
            ends.append(self._watch.answer(BeforeTool, before))
        if after is not None and self._info.hooks.after_tool == "native":
            ends.append(self._watch.answer(AfterTool, after))
        elif after is not None:
            ends.append(self._watch.observe_tools(after))

        def end() -> None:
            for each in ends:
                each()

        return end

    @overload
    def tool(self, function: Function) -> Function: ...

    @overload
    def tool(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        approve: Approve = "never",
        read_only: bool = False,
        timeout: float = 300.0,
    ) -> Callable[[Function], Function]: ...

    def tool(
        self,
        function: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
        approve: Approve = "never",
        read_only: bool = False,
        timeout: float = 300.0,
    ) -> Any:
        """Make a function of this program a tool of the agent: it runs here, whenever the agent calls it.

            @session.tool
            def price(item: str) -> float:
                '''What one of them costs, in euros.'''
                return PRICES[item]

        Known to the agent from the next prompt on. An agent reads its tools when it starts, so one that runs starts
        again then, with its memory: `tools` of `create_session` has them there from the start. The parameters are those
        of `Tool`. Calls come while this client is open, also those from while it was not connected; when it is gone the
        agent is told so within seconds.

        Raises:
            TypeError, InvalidRequest: what `Tool` raises. With the next prompt also what `register_tools` does.
        """

        def add(given: Callable[..., Any]) -> Callable[..., Any]:
            made = Tool(
                given,
                name=name, description=description, approve=approve, read_only=read_only, timeout=timeout,
            )  # fmt: skip
            self._tools.add(made)
            return given

        return add if function is None else add(function)

    async def register_tools(self, *tools: Tool | Callable[..., Any]) -> None:
        """Tell the agent of its tools now instead of with the next prompt; `tools` are added to those of `tool`.

        Raises:
            Conflict: the agent is at work; it is told when it is not.
            OperationNotSupported: it takes no tools.
        """
        for one in tools_of(tools):
            self._tools.add(one)
        await self._tools.register()

    def _serve(self, notify: Callable[[Event], object]) -> None:
        self._connection.watching(self._watch)
        self._watch.serve(self._tools, notify)

    def has_tools(self, client: str, tools: list[Tool]) -> None:
        """For the client that made it: the agent has these already."""
        self._tools.registered(client, tools)

    async def requests(self, *, status: Literal["pending", "all"] = "pending") -> list[AnyRequest]:
        """What the agent asked, oldest first."""
        found: list[AnyRequest] = []
        cursor: str | None = None
        while True:
            page = await self._connection.call(
                request_calls.list_requests(self.id, status=status, cursor=cursor)
            )
            found += [request_of(info, self.respond) for info in page.requests]
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def respond(
        self,
        request_id: str,
        *,
        option_id: str | None = None,
        reply: Reply | None = None,
        scope: Scope | None = None,
        message: str | None = None,
        updated_input: Mapping[str, Any] | None = None,
        on_reject: OnReject | None = None,
        answers: Mapping[str, AnswerValue] | None = None,
        decline: bool | None = None,
        hook: Mapping[str, Any] | None = None,
        actor: str | None = None,
    ) -> Resolution:
        """Answer a permission (`option_id` or `reply`), a question (`answers` or `decline`) or a hook (`hook`).

        What else it can say (`scope`, `message`, `updated_input`, `on_reject`) is of permissions: see
        `PermissionRequest.allow` and `deny`.

        Raises:
            RequestAlreadyResolved: somebody was first.
            RequestNotFound: there is no such request.
            OperationNotSupported: the agent does not take one of these.
            InputForbidden: rules or the mode of the session deny the `updated_input`.
        """
        self._connection.is_answered_by_hand = True
        return await self._connection.call(
            request_calls.answer(
                self.id,
                request_id,
                option_id=option_id,
                reply=reply,
                scope=scope,
                message=message,
                updated_input=updated_input,
                on_reject=on_reject,
                answers=None if answers is None else dict(answers),
                decline=decline,
                hook=hook,
                actor=actor,
            )
        )

    # -- settings

    async def set_mode(self, mode: str) -> SessionInfo:
        """Raises: ModeNotSupported."""
        return await self._patch(mode=mode)

    async def set_model(self, model: str) -> SessionInfo:
        """Raises: ValueNotSupported."""
        return await self._patch(model=model)

    async def set_thought_level(self, thought_level: str) -> SessionInfo:
        """Raises: ValueNotSupported."""
        return await self._patch(thought_level=thought_level)

    async def set_config_option(self, config_id: str, value: str | bool) -> SessionInfo:
        """One of `info.config_options`. Raises: ValueNotSupported."""
        return await self._patch(config_options={config_id: value})

    async def set_permission_policy(
        self, policy: PermissionPolicy | Mapping[str, Any]
    ) -> SessionInfo:
        return await self._patch(permission_policy=policy)

    async def set_metadata(self, metadata: Mapping[str, Any]) -> SessionInfo:
        """Replaces the whole."""
        return await self._patch(metadata=dict(metadata))

    async def rename(self, title: str) -> SessionInfo:
        """Give it a title, for people and for an agent that has titles. Empty: as the agent calls it."""
        return await self._patch(title=title)

    async def native(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """A request of the agent's own protocol, as it is; what it answers. It passes by policy and permissions.

        Raises:
            OperationNotSupported: the agent takes none. AgentError: it refused. Timeout.
            PermissionDenied: the client's token has not the scope `admin`.
        """
        return (await self._connection.call(long_work.native(self.id, method, params))).result

    async def request(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """A request of ACP that there is no method for here, as `session/…` of a newer agent or one that begins with `_`;
        what the agent answers. An ACP agent is told its own `sessionId` in `params`, where they have none. Agents with a
        protocol of their own take theirs, as of `native`. It passes by policy and permissions, and is in the log.

        Raises:
            InvalidRequest: the session has a method for that, which the message names.
            OperationNotSupported, AgentError, Timeout, PermissionDenied: as `native`.
        """
        return (await self._connection.call(long_work.request(self.id, method, params))).result

    # -- going back, and elsewhere

    async def fork(
        self,
        *,
        before_turn_id: str | None = None,
        id: str | None = None,
        cwd: str | PathLike[str] | None = None,
        mode: str | None = None,
        model: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        mcp_servers: McpServers | None = None,
    ) -> Session:
        """Another session that begins with what was in this one, or was before one of its turns; also of one that
        has ended. What is not given is as here. `info.forked_from` says whether the agent copied its own memory
        or is given the transcript.

        Raises:
            SessionAlreadyExists: the `id` is taken. And what `create_session` raises.
        """
        given = {"mode": mode, "model": model, "title": title, "metadata": metadata}
        info = await self._connection.call(
            long_work.fork(
                self.id,
                before_turn_id=before_turn_id,
                id=id,
                cwd=None if cwd is None else directory(cwd, is_local=self._connection.is_local),
                env=env,
                mcp_servers=mcp_servers,
                **given,
            )
        )
        await self._connection.record(info)
        return Session(self._connection, info)

    async def diff(self, turn_id: str | None = None) -> SessionDiff:
        """What has become of the files, whoever wrote them and by what means: in one turn, or from before the first
        that changed something to after the last. `patch` is what `git diff` would write.

            result = await session.prompt("Fix the tests.")
            print((await session.diff(result.turn_id)).patch)

        Raises:
            TurnNotFound: the session has no such turn.
            GitFailed: the files of then are not kept any more.
        """
        return await self._connection.call(git_calls.session_diff(self.id, turn_id))

    async def rewind(
        self,
        turn_id: str | None = None,
        *,
        files: bool = True,
        conversation: bool = True,
        dry_run: bool = False,
    ) -> RewindResult:
        """Go back to before a turn that a prompt began, by default the last: the agent forgets it and what came
        after, and the files that it has changed are put back. `dry_run` only says what would change.

        Raises:
            Conflict: the agent is at work, or does not know that turn any more.
            OperationNotSupported: the agent cannot put files back; `files=False` lets it forget alone.
        """
        return await self._connection.call(
            long_work.rewind(
                self.id,
                turn_id=turn_id,
                files=files,
                conversation=conversation,
                dry_run=dry_run,
            )
        )

    async def undo(self, *, files: bool = True) -> RewindResult:
        """As if the last prompt had not been. Raises what `rewind` raises."""
        return await self.rewind(files=files)

    # -- life

    async def refresh(self) -> SessionInfo:
        """Ask the server for `info`."""
        return self._learn(await self._connection.call(calls.get(self.id)))

    async def end(self) -> None:
        """End the session and stop its agent. Its log stays readable; ending it again does nothing."""
        await self._connection.end(self.id)

    async def delete(self) -> None:
        """End the session and delete its log, at the server and in the `persistence` store, for good.

        Raises:
            SessionNotFound: it is deleted already.
        """
        await self._connection.delete(self.id)

    # -- inside

    def _check(self, callback: Callable[..., Any], name: str, argument: str) -> None:
        check_callback(callback, name, argument=argument, may_be_async=CALLBACKS_MAY_BE_ASYNC)

    def _check_hook(self, name: str, support: str | None) -> None:
        if support is None:
            raise InvalidRequest(
                f"Session {self.id} was made without this hook: give `create_session` "
                f"hooks={{{name!r}: True}}."
            )

    async def _patch(self, **members: Any) -> SessionInfo:
        return self._learn(await self._connection.call(calls.patch(self.id, **members)))

    def _learn(self, info: SessionInfo) -> SessionInfo:
        self._info = info
        self._heard_of(info.last_seq)
        return info

    def _heard_of(self, seq: int) -> None:
        self._known_seq = max(self._known_seq, seq)

    async def _follow(
        self, after: int, interrupt: Interrupt, *, is_awaited: bool = False
    ) -> AsyncGenerator[LogEntry, None]:
        following = self._connection.follow(self._info, after, interrupt, is_awaited=is_awaited)
        async with aclosing(following) as entries:
            async for entry in entries:
                self._heard_of(entry.seq)
                yield entry
