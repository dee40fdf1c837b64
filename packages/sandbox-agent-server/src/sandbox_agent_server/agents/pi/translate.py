"""Pi's messages as ACP frames. Pure: message in, frames (and lines to answer with) out.

Nothing is dropped: what ACP has no word for (retries, compactions, notices of extensions) goes on as
the notification `_pi/<type>` with the message as it came, except for `_NOISE`, which is said elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.frames.jsonrpc import notification, response
from sandbox_agent_core.lenient import as_dict, as_list

from sandbox_agent_server.agents.native.content import text_of
from sandbox_agent_server.agents.native.grants import Grants
from sandbox_agent_server.agents.native.translator import Native, Output, SessionTranslator, Update
from sandbox_agent_server.agents.pi.asking import Asking, Step
from sandbox_agent_server.agents.pi.content import acp_blocks
from sandbox_agent_server.agents.pi.gate import Permission
from sandbox_agent_server.agents.pi.messages import Messages
from sandbox_agent_server.agents.pi.native import command
from sandbox_agent_server.agents.pi.offers import Offers
from sandbox_agent_server.agents.pi.results import (
    Outcome,
    compacted,
    compaction_answer,
    failure,
    usage_update,
    used,
)
from sandbox_agent_server.agents.pi.steering import Steering
from sandbox_agent_server.agents.pi.turns import Prompt, Turns

__all__ = ["Translator"]

_NOISE: Final = frozenset(
    {
        "agent_end",
        "agent_settled",
        "agent_start",
        "entry_appended",
        "message_end",  # whole messages: streamed before, or the results of tools
        "message_start",
        "message_update",  # starts, ends, and the input of a tool call, which comes whole
        "turn_end",
        "turn_start",
    }
)
_DIALOGS: Final = frozenset({"select", "confirm", "input", "editor"})
_TOLD_ROLES: Final = frozenset({"assistant", "system", "toolResult", "user"})


class Translator(SessionTranslator):
    """Understands every message except responses to commands of the adapter's own."""

    extension_prefix = "_pi/"

    def __init__(
        self,
        *,
        session_id: str,
        cwd: str,
        offers: Offers,
        says_settled: bool,
        new_id: Callable[[], str],
        hooks: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(session_id)
        self.offers: Offers = offers
        self._messages = Messages(cwd=cwd, new_id=new_id)
        self._asking = Asking(session_id=session_id, cwd=cwd, hooks=hooks)
        self._turns = Turns(says_settled=says_settled)
        self._outcome = Outcome()
        self._expects_echo = False
        self._new_id = new_id
        self._title: str | None = None
        self.steering = Steering()

    @property
    def grants(self) -> Grants:
        return self._asking.grants

    @property
    def is_prompted(self) -> bool:
        return self._turns.prompt is not None

    def prompt(self, prompt: Prompt, message: str, images: list[Native]) -> Native:
        self._turns.begin(prompt)
        self._outcome = Outcome()
        self._expects_echo = True
        fields: dict[str, Any] = {"message": message}
        if images:
            fields["images"] = images
        # Only matters while an extension has started a run by itself: Pi refuses the prompt otherwise.
        return command(prompt.command_id, "prompt", streamingBehavior="followUp", **fields)

    def compact(self, prompt: Prompt, instructions: str | None) -> Native:
        self._turns.begin(prompt)
        fields = {"customInstructions": instructions} if instructions else {}
        return command(prompt.command_id, "compact", **fields)

    @property
    def takes_steering(self) -> bool:
        """A run has begun: to one that begins Pi would give it without an end to wait for."""
        prompt = self._turns.prompt
        return prompt is not None and prompt.has_begun and not prompt.is_cancelled

    def renamed(self, title: str) -> list[Frame]:
        """Pi may say it, too; the client is told once."""
        if title == self._title:
            return []
        self._title = title
        return [self.update({"sessionUpdate": acp.SESSION_INFO_UPDATE, "title": title})]

    def cancel(self) -> Output:
        """Stops the turn. Its end is answered once, as ever, by `feed`."""
        if self._turns.prompt is not None:
            self._turns.prompt.is_cancelled = True
        frames, replies = self._asking.cancel_all()
        return Output(frames, [*replies, *self._aborting()])

    def _aborting(self) -> list[Native]:
        # What is left in its queue Pi would say with a later prompt.
        cleared = [command("clear", "clear_queue")] if self.steering.clear() else []
        return [*cleared, command("abort", "abort")]

    def answer(self, request_id: Any, result: Mapping[str, Any] | None) -> Output:
        """The client's response to a request of Pi's; `result` is None for an error."""
        step = self._asking.answer(request_id, result)
        if step is None:
            return Output()
        output = self._put_through(step)
        prompt = self._turns.prompt
        if step.stops_turn and prompt is not None and not prompt.is_cancelled:
            output.replies += self._aborting()
        return output

    def feed(self, message: Native) -> Output:
        if message.get("type") == "extension_ui_request":
            return self._dialog(message)
        if message.get("type") == "response":
            return self._response(message)
        frames = self._translate(message)
        reply = self._turns.read(message)
        return Output(frames, [reply] if reply is not None else [])

    def history(self, messages: Any) -> list[Frame]:
        """What was said before, for `session/load`."""
        updates: list[Update] = []
        for message in as_list(messages):
            match message:
                case {"role": "user"}:
                    updates += self._messages.user(message)
                case {"role": "assistant"}:
                    updates += self._messages.end(message)
                case {"role": "toolResult", "toolCallId": str(tool_id)}:
                    name, failed = str(message.get("toolName")), message.get("isError") is True
                    updates += self._messages.result(tool_id, name, message, is_error=failed)
        return self.updates(updates)

    def _translate(self, message: Native) -> list[Frame]:
        match message:
            case {"type": "message_update", "assistantMessageEvent": dict(event)}:
                return self.updates(self._messages.stream(event) or [])
            case {"type": "message_start", "message": dict(started)}:
                self._messages.start(started)
                return []
            case {"type": "message_end", "message": dict(ended)}:
                return self._message_ended(ended, message)
            case {"type": "tool_execution_start"}:
                tool_id, name = str(message.get("toolCallId")), str(message.get("toolName"))
                return self.updates(self._messages.announce(tool_id, name, message.get("args")))
            case {"type": "tool_execution_update"}:
                return self.updates(self._messages.progress(message))
            case {"type": "tool_execution_end"}:
                withdrawn = self._asking.withdraw(str(message.get("toolCallId")))
                return withdrawn + self.updates(self._messages.tool_ended(message))
            case _:
                return self._of_session(message)

    def _of_session(self, message: Native) -> list[Frame]:
        match message:
            case {"type": "thinking_level_changed", "level": level}:
                changed = self.offers.read_state({"thinkingLevel": level})
                return [self.config_update()] if changed else []
            case {"type": "extension_error"}:
                return [_extension_failed(message)]
            case {"type": "queue_update", "steering": list(waiting)}:
                self.steering.read_queue(len(waiting))
                return self._passed_on(message)
            case {"type": "compaction_end", "result": dict(result)}:
                return [self.announce(extensions.CONTEXT_COMPACTED, compacted(message, result))]
            case {"type": "session_info_changed", "name": str(name)} if name:
                return self.renamed(name)
            case _:
                return self._passed_on(message)

    def _message_ended(self, ended: Native, message: Native) -> list[Frame]:
        role = ended.get("role")
        if role == "assistant":
            self._outcome.read(ended)
            tokens, cost = used(ended)
            said = self.updates(self._messages.end(ended))
            if not tokens["totalTokens"]:
                return said
            return [*said, self.model_responded(tokens, model=self._outcome.model, cost=cost)]
        if role == "user":
            is_echo, self._expects_echo = self._expects_echo, False
            if is_echo or self.steering.is_echo(text_of(acp_blocks(ended.get("content")))):
                return []
            return self.updates(self._messages.user(ended))
        if role in _TOLD_ROLES:
            return []
        return [self.extension("message", message)]

    def _response(self, message: Native) -> Output:
        prompt = self._turns.prompt
        if prompt is not None and message.get("id") == prompt.command_id:
            if prompt.is_compaction and message.get("success") is True:
                self._turns.end()
                return Output([compaction_answer(prompt, as_dict(message.get("data")))], [])
            if message.get("success") is True:
                return Output([], [] if prompt.has_begun else [self._turns.accepted()])
            self._turns.end()
            if prompt.is_cancelled:
                return Output([response(prompt.id, {"stopReason": "cancelled"})], [])
            return Output([failure(prompt, str(message.get("error")))], [])
        if prompt is not None and self._turns.is_over(message):
            if not prompt.is_cancelled and (rest := self.steering.take()) is not None:
                return Output([], self._go_on(prompt, *rest))
            return Output(self._over(prompt, message), [])
        failed = message.get("success") is False
        return Output(self._passed_on(message) if failed else [], [])

    def _go_on(self, prompt: Prompt, message: str, images: list[Native]) -> list[Native]:
        """What was said into the turn just before its end: Pi only keeps it for another prompt."""
        prompt.command_id, prompt.has_begun = f"prompt-{self._new_id()}", False
        self._turns.begin(prompt)
        self._expects_echo = True
        fields: dict[str, Any] = {"images": images} if images else {}
        return [
            command("clear", "clear_queue"),
            command(prompt.command_id, "prompt", message=message, **fields),
        ]

    def _over(self, prompt: Prompt, message: Native) -> list[Frame]:
        self._turns.end()
        frames = []
        stats = message.get("data")
        if message.get("command") == "get_session_stats" and isinstance(stats, dict):
            update = usage_update(stats, model=self._outcome.model)
            frames = [self.update(update)] if update is not None else []
        return [*frames, self._outcome.answer(prompt)]

    def _dialog(self, dialog: Native) -> Output:
        if dialog.get("method") not in _DIALOGS or not isinstance(dialog.get("id"), str):
            return Output([self.extension(str(dialog.get("method")), dialog)], [])
        if (permission := Permission.read(dialog)) is not None:
            self._messages.asked(permission)
        return self._put_through(self._asking.dialog(dialog))

    def _put_through(self, step: Step) -> Output:
        frames = [] if step.asked is None else [step.asked]
        if step.running is not None:
            frames.append(self.update(self._messages.running(step.running)))
        return Output(frames, [] if step.reply is None else [step.reply])

    def _passed_on(self, message: Native) -> list[Frame]:
        kind = str(message.get("type"))
        return [] if kind in _NOISE else [self.extension(kind, message)]


def _extension_failed(message: Native) -> Frame:
    path, error = message.get("extensionPath"), message.get("error")
    params = {
        "code": "agent_error",
        "message": f"extension {path} failed at {message.get('event')}: {error}",
        "retryable": False,
    }
    return notification(extensions.ERROR, params)
