"""Codex's messages as ACP frames. Pure: message in, frames (and answers to send back) out.

Nothing is dropped: what ACP has no word for goes on as the notification `_codex/<method>` with the
message as it came, except for `_NOISE`, which repeats what was said already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.lenient import as_dict, as_text, dicts_in, dicts_with

from sandbox_agent_server.agents.codex.agents import Agents
from sandbox_agent_server.agents.codex.asking import Asking
from sandbox_agent_server.agents.codex.background import Background
from sandbox_agent_server.agents.codex.history import was_steered
from sandbox_agent_server.agents.codex.items import is_tool
from sandbox_agent_server.agents.codex.offers import Offers
from sandbox_agent_server.agents.codex.permissions import is_allowed
from sandbox_agent_server.agents.codex.repeats import Repeats
from sandbox_agent_server.agents.codex.results import Spending, prompt_answer
from sandbox_agent_server.agents.codex.streams import Streams, plan_update
from sandbox_agent_server.agents.codex.tool_calls import ToolCalls
from sandbox_agent_server.agents.codex.turns import (
    MAX_OWN_TURNS,
    OWN_TURNS_ENDED,
    Due,
    Prompt,
    Turns,
)
from sandbox_agent_server.agents.native.mcp import McpServers
from sandbox_agent_server.agents.native.translator import (
    Announcement,
    Native,
    Output,
    SessionTranslator,
    Update,
)

__all__ = ["Translator"]

_NOISE: Final = frozenset(
    {
        "item/fileChange/outputDelta",  # Codex announced its end; the item has the text
        "item/plan/delta",  # the plan comes whole
        "item/reasoning/summaryPartAdded",  # the deltas are numbered
        "remoteControl/status/changed",
        "thread/readState/changed",
        "thread/status/changed",  # follows the turns and requests
    }
)
_COMPACTION: Final = "contextCompaction"
_SILENT_ITEMS: Final = frozenset({"userMessage", "agentMessage", "reasoning", "plan"})
"""Items whose start says nothing."""


class Translator(SessionTranslator):
    """One session, that is one thread with its sub-agents."""

    extension_prefix = "_codex/"

    def __init__(
        self, *, session_id: str, cwd: str, offers: Offers, max_own_turns: int = MAX_OWN_TURNS
    ) -> None:
        super().__init__(session_id)
        self.offers: Offers = offers
        self.cwd = cwd
        self._streams = Streams()
        self._tools = ToolCalls(cwd=cwd)
        self._agents = Agents(session_id)
        self._turns = Turns(session_id, max_own=max_own_turns)
        self._spending = Spending()
        self._background = Background()
        self._asking = Asking(session_id=session_id, tool_of=self._tools.about)
        self.mcp = McpServers()
        self._announced: set[str] = set()
        self._said_last: str | None = None
        self._repeats = Repeats()
        self._handlers: dict[str, Callable[[Native, Native], list[Frame]]] = {
            "account/rateLimits/updated": self._limits,
            "error": self._error,
            "item/agentMessage/delta": self._message_delta,
            "item/commandExecution/outputDelta": self._printed,
            "item/completed": self._item_completed,
            "item/fileChange/patchUpdated": self._patched,
            "item/mcpToolCall/progress": self._progressed,
            "item/reasoning/summaryTextDelta": self._thought_delta,
            "item/reasoning/textDelta": self._thought_delta,
            "item/started": self._item_started,
            "mcpServer/startupStatus/updated": self._mcp_started,
            "serverRequest/resolved": self._resolved,
            "skills/changed": self._skills_changed,
            "thread/name/updated": self._named,
            "thread/reverted": self._reverted,
            "thread/settings/updated": self._settings_updated,
            "thread/started": self._thread_started,
            "thread/tokenUsage/updated": self._used,
            "turn/completed": self._turn_completed,
            "turn/diff/updated": self._diff_updated,
            "turn/plan/updated": self._planned,
            "turn/started": self._turn_started,
        }

    # From the client

    @property
    def is_prompted(self) -> bool:
        return self._turns.prompt is not None

    @property
    def goes_on_by_itself(self) -> bool:
        return self._turns.goes_on_by_itself

    @property
    def steerable_turn(self) -> str | None:
        return self._turns.steerable

    def somebody_asks(self) -> None:
        self._turns.somebody_asks()

    def has_thread(self, thread_id: Any) -> bool:
        """It is the session's own, or a sub-agent's."""
        return thread_id == self.session_id or self._agents.knows(thread_id)

    def begin_prompt(self, prompt: Prompt) -> None:
        self._spending.begin_turn()
        self._said_last = None
        self._turns.begin(prompt)

    def prompt_taken(self, result: Any) -> None:
        self._turns.read_start(result)

    def drop_prompt(self) -> bool:
        """Codex did not take it; False when it is answered already."""
        prompt, self._turns.prompt = self._turns.prompt, None
        return prompt is not None

    def cancel(self) -> None:
        """Its end is answered once, as ever, by `feed`."""
        self._turns.cancel()

    def ask_at_end(self, method: str, params: Native) -> None:
        """About the thread, when its turn is over and nobody knows yet."""
        self._turns.ask_at_end(method, params)

    def take_due(self) -> Due:
        """What is to be asked of Codex, behind what a message was answered with."""
        return self._turns.take_due()

    def stop_task(self, task_id: str) -> str | None:
        """A sub-agent is interrupted. Of a command: the thread whose terminal is to be ended."""
        kind = self._background.kind_of(task_id)
        self._background.stopping(task_id)
        if kind == "agent":
            self._turns.interrupt(task_id)
        return self._tools.thread_of(task_id) if kind == "shell" else None

    def interrupt_refused(self, turn_id: str) -> None:
        self._turns.interrupt_refused(turn_id)

    def asking_turn(self, request_id: Any) -> Native | None:
        return self._asking.turn_of(request_id)

    def answer(self, request_id: Any, result: Mapping[str, Any] | None) -> Output:
        """The client's response to a request of Codex's; `result` is None for an error."""
        answered = self._asking.answer(request_id, result)
        if answered is None:
            return Output()
        asked, answer = answered
        frames = []
        tool_id = str(asked.params.get("itemId"))
        if tool_id in self._announced:
            self._announced.discard(tool_id)
            frames.append(self.update(self._tools.ended(tool_id, is_done=is_allowed(result))))
        elif asked.is_approval and is_allowed(result):
            told = self._tools.about(asked.params)["toolCallId"]
            frames += self.updates(self._tools.allowed(told))
        prompt = self._turns.prompt
        if answer.interrupts and prompt is not None and not prompt.is_cancelled:
            self.cancel()
        return Output(frames, [answer.reply])

    # From Codex

    def feed(self, message: Native) -> Output:
        """A notification, or a request of Codex's."""
        if "method" not in message:
            raise ValueError("neither a request, a notification nor a response")
        if message.get("id") is not None:
            return self._request(message)
        params = as_dict(message.get("params"))
        handler = self._handlers.get(str(message["method"]))
        frames = handler(params, message) if handler is not None else self._passed_on(message)
        self._turns.goes_on(params.get("threadId"))
        return Output(frames)

    def left_running(self, terminals: Any) -> list[str]:
        """Of Codex's terminals in the background: those that were not meant to be, by their process."""
        return [
            item["processId"]
            for item in dicts_with(terminals, "processId")
            if not self._tools.is_background(item.get("itemId"))
        ]

    def history(self, turns: Any) -> list[Frame]:
        """Earlier turns, as `thread/turns/list` tells them, for a client that does not know them."""
        updates: list[Update] = []
        for turn in dicts_in(turns):
            for item in dicts_in(turn.get("items")):
                updates += self._whole(item, None)
        return self.updates(updates)

    def _passed_on(self, message: Native) -> list[Frame]:
        method = str(message.get("method"))
        return [] if method in _NOISE else [self.extension(method, message)]

    # Requests

    def _request(self, message: Native) -> Output:
        params = as_dict(message.get("params"))
        frame = self._asking.ask(message)
        if frame is None:
            return Output(self._passed_on(message), [self._asking.refuse(message)])
        frames = [frame]
        call = as_dict(as_dict(frame.get("params")).get("toolCall"))
        tool_id = as_text(params.get("itemId"))
        if call and tool_id is not None and not self._tools.is_open(tool_id):
            # Not an item: the client would never hear of the call again.
            self._announced.add(tool_id)
            fields = {key: value for key, value in call.items() if key != "toolCallId"}
            frames.insert(0, self.update(self._tools.announced(tool_id, fields)))
        return Output(frames)

    def _resolved(self, params: Native, message: Native) -> list[Frame]:
        frame = self._asking.withdraw(params.get("requestId"))
        return [frame] if frame is not None else []

    # Items

    def _item_started(self, params: Native, message: Native) -> list[Frame]:
        item, thread_id = as_dict(params.get("item")), params.get("threadId")
        self._agents.read_item(item, thread_id)
        if is_tool(item):
            parent = self._agents.parent_of(thread_id)
            may_ask = self.offers.may_ask
            started = self._tools.started(item, str(thread_id), parent, may_ask=may_ask)
            return [self.update(started)]
        if item.get("type") == _COMPACTION and thread_id == self.session_id:
            self._spending.begin_compaction()
            return []
        return [] if item.get("type") in _SILENT_ITEMS else self._passed_on(message)

    def _item_completed(self, params: Native, message: Native) -> list[Frame]:
        item, thread_id = as_dict(params.get("item")), params.get("threadId")
        self._agents.read_item(item, thread_id)
        if item.get("type") == _COMPACTION and thread_id == self.session_id:
            prompt = self._turns.prompt
            is_asked_for = prompt is not None and prompt.kind == "compact"
            fields = self._spending.compacted(trigger="manual" if is_asked_for else "auto")
            return [self.announce(extensions.CONTEXT_COMPACTED, fields)]
        if not is_tool(item) and item.get("type") not in _SILENT_ITEMS:
            return self._passed_on(message)
        parent = self._agents.parent_of(thread_id)
        if item.get("type") == "userMessage" and parent is None:
            # The prompt, once more; or what went into a turn that ran, which the model has now.
            return self._passed_on(message) if was_steered(item) else []
        if item.get("type") == "agentMessage" and parent is None:
            self._said_last = as_text(item.get("text"))
        frames = self.updates(self._whole(item, parent))
        frames += self._announce(self._background.command_ended(item))
        # Questions that are answered by the next prompt, or not: ACP has no field for them.
        return frames + (self._passed_on(message) if item.get("questions") else [])

    def _whole(self, item: Native, parent: str | None) -> list[Update]:
        """What a completed item says that was not streamed."""
        if is_tool(item):
            return [self._tools.completed(item, parent)]
        match item.get("type"):
            case "agentMessage":
                return self._streams.message(item, parent)
            case "reasoning":
                return self._streams.reasoning(item, parent)
            case "plan":
                return self._streams.plan(item, parent)
            case "userMessage":
                return self._streams.user(item, parent)
            case _:
                return []

    def _message_delta(self, params: Native, message: Native) -> list[Frame]:
        return self._delta(params, is_thought=False)

    def _thought_delta(self, params: Native, message: Native) -> list[Frame]:
        return self._delta(params, is_thought=True)

    def _delta(self, params: Native, *, is_thought: bool) -> list[Frame]:
        parent = self._agents.parent_of(params.get("threadId"))
        return self.updates(self._streams.delta(params, parent, is_thought=is_thought))

    def _printed(self, params: Native, message: Native) -> list[Frame]:
        return [self.update(self._tools.printed(params))] if params.get("delta") else []

    def _patched(self, params: Native, message: Native) -> list[Frame]:
        return [self.update(self._tools.patched(params))]

    def _progressed(self, params: Native, message: Native) -> list[Frame]:
        return [self.update(self._tools.progressed(params))]

    # Turns

    def _turn_started(self, params: Native, message: Native) -> list[Frame]:
        thread_id, turn = str(params.get("threadId")), as_dict(params.get("turn"))
        begins_own = self._turns.begins_own(thread_id, turn)
        self._turns.started(thread_id, turn)
        if not begins_own:
            return []
        self._spending.begin_turn()
        frames = [self.announce(extensions.TURN_STARTED, {})]
        if self._turns.bound_own(thread_id):
            frames.append(self.announce(extensions.ERROR, OWN_TURNS_ENDED))
        return frames

    def _turn_completed(self, params: Native, message: Native) -> list[Frame]:
        thread_id, turn = str(params.get("threadId")), as_dict(params.get("turn"))
        left = self._tools.end_turn(thread_id, is_whole=turn.get("status") == "completed")
        closed = [self.update(self._tools.ended(tool_id, is_done=False)) for tool_id in left]
        if thread_id == self.session_id and (settings := self.offers.end_review()) is not None:
            self.ask_at_end("thread/settings/update", settings)
        ends_own = self._turns.ends_own(turn)
        prompt = self._turns.completed(thread_id, turn, is_own=ends_own)
        closed += self._announce(self._background.agent_ended(thread_id, turn))
        closed += self._announce(self._left_running(is_main=thread_id == self.session_id))
        if ends_own:
            # A prompt that came as Codex began it has become a part of it: it was answered in it.
            answer = prompt_answer(0, turn, self._spending.of_turn())
            fields = answer["result"] if "result" in answer else {"error": answer["error"]}
            closed.append(self.announce(extensions.TURN_ENDED, fields))
            self._spending.begin_turn()
        if prompt is not None:
            said = self._said_last if prompt.is_structured else None
            usage = self._spending.of_turn()
            return [*closed, prompt_answer(prompt.id, turn, usage, structured=said)]
        if ends_own:
            return closed
        is_main = thread_id == self.session_id
        return closed + (self._passed_on(message) if is_main else [])

    def _left_running(self, *, is_main: bool) -> list[Announcement]:
        """What is in the background from now on."""
        said: list[Announcement] = []
        for id, title in self._tools.in_background():
            said += self._background.goes_on(id, kind="shell", title=title, tool_call_id=id)
        for thread_id in self._turns.other_threads if is_main else ():
            call = self._agents.parent_of(thread_id) or thread_id
            said += self._background.goes_on(
                thread_id, kind="agent", title="A sub-agent", tool_call_id=call
            )
        return said

    def _announce(self, said: list[Announcement]) -> list[Frame]:
        return [self.announce(method, fields) for method, fields in said]

    def _error(self, params: Native, message: Native) -> list[Frame]:
        """Trying again is passed on; the error that ends a turn comes with its end."""
        if params.get("willRetry") is not True and self._turns.is_prompt_turn(params):
            return []
        return self._passed_on(message)

    def _planned(self, params: Native, message: Native) -> list[Frame]:
        if params.get("threadId") != self.session_id:
            return self._passed_on(message)  # A sub-agent's plan is not the session's.
        return [self.update(plan_update(params))]

    def _diff_updated(self, params: Native, message: Native) -> list[Frame]:
        return self._passed_on(message) if self._repeats.is_new_diff(params) else []

    def _used(self, params: Native, message: Native) -> list[Frame]:
        thread_id, usage = str(params.get("threadId")), as_dict(params.get("tokenUsage"))
        is_main = thread_id == self.session_id
        told: list[Frame] = []
        if (call := self._spending.of_call(thread_id, usage)) is not None:
            parent = None if is_main else self._agents.parent_of(thread_id) or thread_id
            told.append(self.model_responded(call, model=self.offers.model, parent=parent))
        if not is_main:
            return told + self._passed_on(message)
        if (update := self._spending.read(usage)) is not None:
            told.append(self.update(update | {"_meta": {"model": self.offers.model}}))
        return told

    def _limits(self, params: Native, message: Native) -> list[Frame]:
        return self._passed_on(message) if self._repeats.are_new_limits(params) else []

    # The thread

    def _mcp_started(self, params: Native, message: Native) -> list[Frame]:
        if params.get("threadId") not in (None, self.session_id):
            return self._passed_on(message)
        return self.mcp.read([params])

    def _skills_changed(self, params: Native, message: Native) -> list[Frame]:
        self._turns.list_skills()
        return []

    def _thread_started(self, params: Native, message: Native) -> list[Frame]:
        self._agents.read_thread(params.get("thread"))
        own = as_dict(params.get("thread")).get("id") == self.session_id
        return [] if own else self._passed_on(message)

    def _named(self, params: Native, message: Native) -> list[Frame]:
        title = as_text(params.get("threadName"))
        if title is None or params.get("threadId") != self.session_id:
            return self._passed_on(message)
        return [self.update({"sessionUpdate": acp.SESSION_INFO_UPDATE, "title": title})]

    def _reverted(self, params: Native, message: Native) -> list[Frame]:
        if params.get("threadId") == self.session_id:
            self._spending.reverted()
        return self._passed_on(message)

    def _settings_updated(self, params: Native, message: Native) -> list[Frame]:
        if params.get("threadId") != self.session_id:
            return []
        mode = self.offers.mode
        if not self.offers.apply(as_dict(params.get("threadSettings"))):
            return []
        changed = [self.mode_update()] if self.offers.mode != mode else []
        return [*changed, self.config_update()]
