"""Codex's messages as ACP frames. Pure: message in, frames (and messages to send back) out.

Nothing is dropped: what ACP has no word for goes on as the notification `_codex/<method>` with the
message as it came, except for `_NOISE`, which repeats what was said already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.frames.jsonrpc import notification

from sandbox_agent_server.agents.codex.agents import Agents
from sandbox_agent_server.agents.codex.asking import Asking
from sandbox_agent_server.agents.codex.items import is_tool
from sandbox_agent_server.agents.codex.native import Native
from sandbox_agent_server.agents.codex.offers import Offers
from sandbox_agent_server.agents.codex.permissions import is_allowed
from sandbox_agent_server.agents.codex.plan import plan_update
from sandbox_agent_server.agents.codex.reading import dicts, members, text
from sandbox_agent_server.agents.codex.results import Spending, prompt_answer, start_failed
from sandbox_agent_server.agents.codex.streams import Streams, Update
from sandbox_agent_server.agents.codex.tool_calls import ToolCalls
from sandbox_agent_server.agents.codex.turns import Prompt, Turns
from sandbox_agent_server.agents.native import translator as native

__all__ = ["EXTENSION", "Call", "Output", "Translator"]

EXTENSION: Final = "_codex/"

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
_SILENT_ITEMS: Final = frozenset({"userMessage", "agentMessage", "reasoning", "plan"})
"""Items whose start says nothing."""

_INTERRUPT: Final = "turn/interrupt"
_TERMINALS: Final = "thread/backgroundTerminals/list"
_TERMINATE: Final = "thread/backgroundTerminals/terminate"


class Call(NamedTuple):
    """A request to Codex, and what to do with its answer: `Translator.called`."""

    method: str
    params: Native


@dataclass(slots=True)
class Output(native.Output):
    calls: Sequence[Call] = ()
    """Requests to Codex; to be sent after the replies."""


class Translator:
    """One session, that is one thread with its sub-agents."""

    def __init__(self, *, thread_id: str, cwd: str, offers: Offers) -> None:
        self.offers = offers
        self.thread_id = thread_id
        self._streams = Streams()
        self._tools = ToolCalls(cwd=cwd)
        self._agents = Agents(thread_id)
        self._turns = Turns(thread_id)
        self._spending = Spending()
        self._asking = Asking(session_id=thread_id, tool_of=self._tools.about)
        self._announced: set[str] = set()
        self._limits_told: Any = None
        self._diff_told: Any = None
        self._calls: list[Call] = []
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
            "serverRequest/resolved": self._resolved,
            "thread/name/updated": self._named,
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

    def begin_prompt(self, prompt: Prompt) -> None:
        self._spending.begin_turn()
        self._turns.begin(prompt)

    def prompt_taken(self, result: Any) -> None:
        self._turns.read_start(result)

    def prompt_refused(self, error: Native) -> list[Frame]:
        prompt, self._turns.prompt = self._turns.prompt, None
        return [start_failed(prompt.id, error)] if prompt is not None else []

    def cancel(self) -> list[Call]:
        """Stop the turn. Its end is answered once, as ever, by `feed`."""
        return [_interrupt(*running) for running in self._turns.cancel()]

    def answer(self, request_id: Any, result: Mapping[str, Any] | None) -> Output:
        """The client's response to a request of Codex's; `result` is None for an error."""
        answered = self._asking.answer(request_id, result)
        if answered is None:
            return Output([])
        asked, answer = answered
        frames = []
        tool_id = str(asked.params.get("itemId"))
        if tool_id in self._announced:
            self._announced.discard(tool_id)
            frames.append(self.update(self._tools.ended(tool_id, is_done=is_allowed(result))))
        prompt = self._turns.prompt
        stops = answer.interrupts and prompt is not None and not prompt.is_cancelled
        return Output(frames, [answer.reply], calls=self.cancel() if stops else [])

    # From Codex

    def feed(self, message: Native) -> Output:
        """A notification, or a request of Codex's."""
        params = members(message.get("params"))
        self._calls = []
        if message.get("id") is not None:
            return self._request(message)
        method = str(message.get("method"))
        handler = self._handlers.get(method)
        frames = handler(params, message) if handler is not None else self._passed_on(message)
        self._calls += [_interrupt(*turn) for turn in self._turns.again(params.get("threadId"))]
        return Output(frames, calls=self._calls)

    def called(self, call: Call, answer: Native) -> list[Call]:
        """The answer to a call of ours; what to call next."""
        if call.method == _INTERRUPT and "error" in answer:
            self._turns.interrupt_refused(call.params.get("turnId"))
        if call.method != _TERMINALS:
            return []
        terminals = dicts(members(answer.get("result")).get("data"))
        return [
            Call(
                _TERMINATE,
                {"threadId": call.params["threadId"], "processId": item["processId"]},
            )
            for item in terminals
            if not self._tools.is_background(item.get("itemId")) and text(item.get("processId"))
        ]

    def history(self, turns: Any) -> list[Frame]:
        """Earlier turns, as `thread/turns/list` tells them, for a client that does not know them."""
        updates: list[Update] = []
        for turn in dicts(turns):
            for item in dicts(turn.get("items")):
                updates += self._whole(item, None)
        return [self.update(update) for update in updates]

    # Updates

    def update(self, update: Update) -> Frame:
        return notification(acp.SESSION_UPDATE, {"sessionId": self.thread_id, "update": update})

    def mode_update(self) -> Frame:
        mode = self.offers.mode
        return self.update({"sessionUpdate": acp.CURRENT_MODE_UPDATE, "currentModeId": mode})

    def config_update(self) -> Frame:
        options = self.offers.config_options()
        return self.update({"sessionUpdate": acp.CONFIG_OPTION_UPDATE, "configOptions": options})

    def _passed_on(self, message: Native) -> list[Frame]:
        method = str(message.get("method"))
        if method in _NOISE:
            return []
        params = {"sessionId": self.thread_id, "message": message}
        return [notification(EXTENSION + method, params)]

    # Requests

    def _request(self, message: Native) -> Output:
        params = members(message.get("params"))
        frame = self._asking.ask(message)
        if frame is None:
            return Output(self._passed_on(message), [self._asking.refuse(message)])
        frames = [frame]
        call = members(members(frame.get("params")).get("toolCall"))
        tool_id = text(params.get("itemId"))
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
        item, thread_id = members(params.get("item")), params.get("threadId")
        self._agents.read_item(item, thread_id)
        if is_tool(item):
            parent = self._agents.parent_of(thread_id)
            return [self.update(self._tools.started(item, str(thread_id), parent))]
        return [] if item.get("type") in _SILENT_ITEMS else self._passed_on(message)

    def _item_completed(self, params: Native, message: Native) -> list[Frame]:
        item, thread_id = members(params.get("item")), params.get("threadId")
        self._agents.read_item(item, thread_id)
        if not is_tool(item) and item.get("type") not in _SILENT_ITEMS:
            return self._passed_on(message)
        parent = self._agents.parent_of(thread_id)
        if item.get("type") == "userMessage" and parent is None:
            return []  # The prompt, once more.
        frames = [self.update(update) for update in self._whole(item, parent)]
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
        updates = self._streams.delta(params, parent, is_thought=is_thought)
        return [self.update(update) for update in updates]

    def _printed(self, params: Native, message: Native) -> list[Frame]:
        return [self.update(self._tools.printed(params))]

    def _patched(self, params: Native, message: Native) -> list[Frame]:
        return [self.update(self._tools.patched(params))]

    def _progressed(self, params: Native, message: Native) -> list[Frame]:
        return [self.update(self._tools.progressed(params))]

    # Turns

    def _turn_started(self, params: Native, message: Native) -> list[Frame]:
        interrupted = self._turns.started(str(params.get("threadId")), members(params.get("turn")))
        self._calls += [_interrupt(*turn) for turn in interrupted]
        return []

    def _turn_completed(self, params: Native, message: Native) -> list[Frame]:
        thread_id, turn = str(params.get("threadId")), members(params.get("turn"))
        left = self._tools.end_turn(thread_id, is_whole=turn.get("status") == "completed")
        closed = [self.update(self._tools.ended(tool_id, is_done=False)) for tool_id in left]
        if turn.get("status") == "interrupted":
            # Codex lets the command of an interrupted turn run on, as a terminal in the background.
            # It may run before its item is told, so it is looked for even when none was.
            self._calls.append(Call(_TERMINALS, {"threadId": thread_id}))
        prompt = self._turns.completed(thread_id, turn)
        if prompt is None:
            is_own = thread_id == self.thread_id
            return closed + (self._passed_on(message) if is_own else [])
        return [*closed, prompt_answer(prompt.id, turn, self._spending.of_turn())]

    def _error(self, params: Native, message: Native) -> list[Frame]:
        """Trying again is passed on; the error that ends a turn comes with its end."""
        if params.get("willRetry") is not True and self._turns.is_prompt_turn(params):
            return []
        return self._passed_on(message)

    def _planned(self, params: Native, message: Native) -> list[Frame]:
        if params.get("threadId") != self.thread_id:
            return self._passed_on(message)  # A sub-agent's plan is not the session's.
        return [self.update(plan_update(params))]

    def _diff_updated(self, params: Native, message: Native) -> list[Frame]:
        """All that the turn has changed; repeated as it was when the turn ends."""
        if params == self._diff_told:
            return []
        self._diff_told = params
        return self._passed_on(message)

    def _used(self, params: Native, message: Native) -> list[Frame]:
        if params.get("threadId") != self.thread_id:
            return self._passed_on(message)
        update = self._spending.read(members(params.get("tokenUsage")))
        if update is None:
            return []
        return [self.update(update | {"_meta": {"model": self.offers.model}})]

    def _limits(self, params: Native, message: Native) -> list[Frame]:
        """Sent with every answer of the model, mostly with nothing (new) in it."""
        limits = members(params.get("rateLimits"))
        says = {key: value for key, value in limits.items() if value is not None}
        if says.keys() <= {"limitId"} or says == self._limits_told:
            return []
        self._limits_told = says
        return self._passed_on(message)

    # The thread

    def _thread_started(self, params: Native, message: Native) -> list[Frame]:
        self._agents.read_thread(params.get("thread"))
        own = members(params.get("thread")).get("id") == self.thread_id
        return [] if own else self._passed_on(message)

    def _named(self, params: Native, message: Native) -> list[Frame]:
        title = text(params.get("threadName"))
        if title is None or params.get("threadId") != self.thread_id:
            return self._passed_on(message)
        return [self.update({"sessionUpdate": acp.SESSION_INFO_UPDATE, "title": title})]

    def _settings_updated(self, params: Native, message: Native) -> list[Frame]:
        if params.get("threadId") != self.thread_id:
            return []
        mode = self.offers.mode
        if not self.offers.apply(members(params.get("threadSettings"))):
            return []
        changed = [self.mode_update()] if self.offers.mode != mode else []
        return [*changed, self.config_update()]


def _interrupt(thread_id: str, turn_id: str) -> Call:
    return Call(_INTERRUPT, {"threadId": thread_id, "turnId": turn_id})
