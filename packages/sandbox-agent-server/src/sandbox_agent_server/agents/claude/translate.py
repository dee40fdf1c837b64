"""Claude Code's messages as ACP frames. Pure: message in, frames (and lines to answer with) out.

Nothing is dropped: what ACP has no word for goes on as the notification `_claude/<type>` with the
message as it came, except for `_NOISE`, which repeats what was said already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.frames import Frame, RequestId, acp, extensions
from sandbox_agent_core.lenient import as_dict, as_text, compact

from sandbox_agent_server.agents.claude.asking import Asking
from sandbox_agent_server.agents.claude.compaction import Compaction
from sandbox_agent_server.agents.claude.hooks import hook_call
from sandbox_agent_server.agents.claude.marks import Marks
from sandbox_agent_server.agents.claude.messages import Messages, Read
from sandbox_agent_server.agents.claude.model_calls import ModelCalls
from sandbox_agent_server.agents.claude.native import control_request
from sandbox_agent_server.agents.claude.offers import Offers
from sandbox_agent_server.agents.claude.results import (
    Spending,
    context_size,
    prompt_answer,
    usage_update,
)
from sandbox_agent_server.agents.claude.tasks import Tasks
from sandbox_agent_server.agents.claude.turns import DROPPED, OwnTurn, Prompt, Turns
from sandbox_agent_server.agents.native.mcp import McpServers
from sandbox_agent_server.agents.native.translator import Native, Output, SessionTranslator

__all__ = ["Translator"]

_NOISE: Final = frozenset(
    {
        "command_lifecycle",  # where our own prompt is in the queue
        "keep_alive",
        "control_request_progress",
        "stream_event/content_block_delta/input_json_delta",  # the input comes whole
        "stream_event/content_block_delta/signature_delta",  # for the API, not for people
        "stream_event/content_block_stop",
        "stream_event/message_stop",
        "stream_event/ping",
        "system/status/requesting",  # before every request to the API
    }
)
_LOCAL_OUTPUT: Final = re.compile(
    r"<local-command-(?:stdout|stderr)>(.*?)</local-command", re.DOTALL
)
_VOLATILE: Final = frozenset({"uuid", "user_message_uuids", "permissionMode", "model"})


class Translator(SessionTranslator):
    """Understands every message except answers to the host's own control requests."""

    extension_prefix = "_claude/"

    def __init__(
        self, *, session_id: str, cwd: str, offers: Offers, marks: Marks, wants_object: bool = False
    ) -> None:
        """`wants_object`: every prompt has to end with one, by the schema of the session."""
        super().__init__(session_id)
        self._wants_object = wants_object
        self.marks = marks
        self.offers: Offers = offers
        self._messages = Messages(cwd=cwd)
        self._calls = ModelCalls()
        self._asking = Asking(session_id=session_id, cwd=cwd)
        self._turns = Turns()
        self._tasks = Tasks()
        self._native_id = session_id
        self._compaction = Compaction()
        self._init: dict[str, Any] | None = None
        self.mcp = McpServers()
        self._context_size: int | None = None
        self._spending = Spending()
        self._interrupts = 0

    @property
    def is_prompted(self) -> bool:
        return self._turns.prompt is not None

    def begin_prompt(self, prompt: Prompt) -> None:
        self._turns.begin(prompt)

    @property
    def can_be_steered(self) -> bool:
        return self._turns.can_be_steered

    def steer(self, uuid: str, request_id: RequestId) -> None:
        """What the line with this uuid says belongs to the running turn. The request is answered by `feed`."""
        self._turns.steer(uuid, request_id)

    def cancel(self) -> Native:
        """The line that stops the turn. Its end is answered once, as ever, by `feed`."""
        self._turns.cancel()
        return self._interrupt()

    def has_task(self, task_id: str) -> bool:
        return self._tasks.is_running(task_id)

    def abandon_prompt(self) -> None:
        """It is not answered any more, whatever still comes."""
        self._turns.end()

    def answer(self, request_id: Any, result: Mapping[str, Any] | None) -> Output:
        """The client's response to a request of Claude's; `result` is None for an error."""
        is_interrupted = self._turns.is_cancelled
        granted = self._asking.answer(request_id, result, is_interrupted=is_interrupted)
        if granted is None:
            return Output()
        frames = []
        if granted.tool_call_id is not None:
            update = self._messages.granted(
                granted.tool_call_id, granted.input, is_running=granted.is_running
            )
            frames.append(self.update(update))
        return Output(frames, [granted.reply])

    def feed(self, message: Native) -> Output:
        replies: list[Native] = []
        frames = []
        if self._turns.begins_own(message):
            because = compact(taskId=self._tasks.take_ended())
            frames.append(self.announce(extensions.TURN_STARTED, because))
        if (compacted := self._compaction.read(message)) is not None:
            frames.append(self.announce(extensions.CONTEXT_COMPACTED, compacted))
        frames += self._translate(message, replies)
        if self._turns.is_running_on(message):
            replies.append(self._interrupt())
        return Output(frames, replies)

    def _translate(self, message: Native, replies: list[Native]) -> list[Frame]:
        match message.get("type"):
            case "stream_event":
                read = self._read(message, self._messages.stream_event(message))
                return read + self._responded(message)
            case "assistant":
                read = self._read(message, self._messages.assistant(message))
                return read + self._responded(message)
            case "user":
                return self._user(message)
            case "control_request":
                return self._control_request(message, replies)
            case "control_cancel_request":
                frame = self._asking.withdraw(str(message.get("request_id")))
                return [frame] if frame is not None else []
            case "command_lifecycle":
                return self._lifecycle(message)
            case "result":
                return self._result(message)
            case "system":
                return self._system(message)
            case "conversation_reset":
                self._messages.forget_context()
                return self._passed_on(message)
            case _:
                return self._passed_on(message)

    def _read(self, message: Native, read: Read) -> list[Frame]:
        frames = self.updates(read.updates)
        return frames if read.is_understood else frames + self._passed_on(message)

    def _responded(self, message: Native) -> list[Frame]:
        call = self._calls.read(message)
        if call is None:
            return []
        told = self.model_responded(
            call.tokens, call_id=call.id, model=call.model, parent=call.parent
        )
        return [told]

    def _passed_on(self, message: Native) -> list[Frame]:
        if _kind(message) in _NOISE:
            return []
        name = str(message.get("type"))
        if name == "system" and isinstance(message.get("subtype"), str):
            name = message["subtype"]
        return [self.extension(name, message)]

    def _user(self, message: Native) -> list[Frame]:
        body = message.get("message")
        content = as_dict(body).get("content")
        prompt = self._turns.prompt
        if isinstance(content, str) and prompt is not None and prompt.is_command:
            # Not when no command was typed: a switched model writes such a message too.
            output = "\n".join(text.strip() for text in _LOCAL_OUTPUT.findall(content))
            if output:
                return [self.update(self._messages.local_output(output, message.get("uuid")))]
        return self._read(message, self._messages.user(message))

    def _control_request(self, message: Native, replies: list[Native]) -> list[Frame]:
        request_id, asked = str(message.get("request_id")), as_dict(message.get("request"))
        call = hook_call(asked) if asked.get("subtype") == "hook_callback" else asked
        parent = self._messages.parent_of(call)
        frame = self._asking.ask(request_id, asked, parent=parent)
        if frame is None:
            replies.append(self._asking.refuse(request_id, asked))
            return self._passed_on(message)
        return [*self.updates(self._messages.announce(call)), frame]

    def _lifecycle(self, message: Native) -> list[Frame]:
        if str(message.get("state")) in DROPPED:
            self.marks.drop(str(message.get("command_uuid")))
        answers = self._turns.read_lifecycle(message)
        prompt = self._turns.prompt
        frames = []
        if prompt is not None and prompt.has_begun and self._turns.end_own() is not None:
            # It was put beside the result of a tool in Claude's own turn: what follows answers the prompt.
            frames.append(self.announce(extensions.TURN_ENDED, {"stopReason": "end_turn"}))
        if (over := self._turns.take_over()) is not None:
            # What was said into its turn was not taken after all.
            answer = self._answer(over)
            if over.is_cancelled and "result" in answer:
                answer["result"]["stopReason"] = "cancelled"
            answers.append(answer)
        return frames + answers

    def _result(self, message: Native) -> list[Frame]:
        frames = []
        turn_cost = self._spending.read(message.get("total_cost_usd"))
        model = self._messages.model
        self._context_size = context_size(message, model) or self._context_size
        used = self._messages.context_tokens
        spent = self._spending.total
        if update := usage_update(used=used, size=self._context_size, spent=spent, model=model):
            frames.append(self.update(update))
        if self._turns.is_answered_by(message):
            over = self._turns.read_result(message, turn_cost)
            if over is not None:
                frames.append(self._answer(over))
        else:
            frames += self._passed_on(message)
            if (own := self._turns.end_own()) is not None:
                frames.append(self._own_turn_ended(message, own, turn_cost))
        self._messages.end_turn()
        self._calls.end_turn()
        return frames

    def _answer(self, prompt: Prompt) -> Frame:
        return prompt_answer(
            prompt.id,
            prompt.results,
            is_cancelled=prompt.is_cancelled,
            last_error=self._messages.last_error,
            cost=prompt.cost,
            wants_object=self._wants_object and not prompt.is_command,
        )

    def _own_turn_ended(self, result: Native, own: OwnTurn, cost: float) -> Frame:
        answer = prompt_answer(
            0,
            [result],
            is_cancelled=own.is_cancelled,
            last_error=self._messages.last_error,
            cost=cost,
        )
        fields = answer["result"] if "result" in answer else {"error": answer["error"]}
        return self.announce(extensions.TURN_ENDED, fields)

    def _system(self, message: Native) -> list[Frame]:
        frames = self._mode_changed(message.get("permissionMode"))
        match message.get("subtype"):
            case "init":
                return frames + self._initialised(message)
            case "compact_boundary":
                self._messages.read_compaction(message)
            case "status" if message.get("status") is None and "permissionMode" in message:
                return frames
            case "session_title_changed":
                title = {"title": as_text(message.get("title"))}
                frames.append(self.update({"sessionUpdate": acp.SESSION_INFO_UPDATE, **title}))
            case "task_started":
                frames += self.updates(self._messages.read_task(message))
        told = [self.announce(method, fields) for method, fields in self._tasks.read(message)]
        return frames + self._passed_on(message) + told

    def _initialised(self, message: Native) -> list[Frame]:
        """`system/init` comes again with every turn: only what is new is told."""
        frames = []
        native_id = message.get("session_id")
        if isinstance(native_id, str) and native_id != self._native_id:
            # After `/clear` Claude goes on under another id: the one to resume from now on.
            self._native_id = native_id
            self.marks.rewind(0)
            meta = {"agentSessionId": native_id}
            frames.append(self.update({"sessionUpdate": acp.SESSION_INFO_UPDATE, "_meta": meta}))
        if self.offers.read_model(message.get("model")):
            frames.append(self.config_update())
        if self.offers.read_commands(message.get("slash_commands")):
            frames.append(self.commands_update())
        frames += self.mcp.read(message.get("mcp_servers"))
        lasting = {key: value for key, value in message.items() if key not in _VOLATILE}
        if lasting != self._init:
            self._init = lasting
            frames += self._passed_on(message)
        return frames

    def _mode_changed(self, mode: Any) -> list[Frame]:
        if not self.offers.read_mode(mode):
            return []
        return [self.mode_update(), self.config_update()]

    def _interrupt(self) -> Native:
        self._interrupts += 1
        # cancel_queued: stops the prompt also when its turn has not begun (since 2.1.2xx; older
        # ones ignore it, see Turns.is_running_on).
        return control_request(f"interrupt-{self._interrupts}", "interrupt", cancel_queued=True)


def _kind(message: Native) -> str:
    """The name of a message in `_NOISE`."""
    match message:
        case {"type": "stream_event", "event": {"type": str(event), "delta": {"type": str(delta)}}}:
            return f"stream_event/{event}/{delta}"
        case {"type": "stream_event", "event": {"type": str(event)}}:
            return f"stream_event/{event}"
        case {"type": "system", "subtype": str(subtype), "status": str(status)}:
            return f"system/{subtype}/{status}"
        case _:
            return str(message.get("type"))
