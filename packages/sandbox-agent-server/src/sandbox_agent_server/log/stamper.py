"""Turns frames into log entries: says of each which turn, item and method it belongs to.

Pure and stateful: it remembers what the projection may not (the running turn, what a response
answers, the fields of a tool call so far), writes it on the entry, and adds the entries that make
a streamed item whole. Frames of any shape pass: what is not understood is stamped as little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox_agent_core.frames import Frame, LogEntry, Sender, acp, extensions, operations
from sandbox_agent_core.frames.jsonrpc import RequestId, notification, request_id
from sandbox_agent_core.lenient import as_dict, dicts_in
from sandbox_agent_core.projection import closed_tool_call
from sandbox_agent_core.projection.messages import parent_of
from sandbox_agent_core.projection.tools import is_diff

from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.log.entry import Draft
from sandbox_agent_server.log.open_items import CHUNKS, OpenItem, OpenItems
from sandbox_agent_server.log.step import Step
from sandbox_agent_server.log.tasks import RunningTask, RunningTasks
from sandbox_agent_server.log.tool_calls import ToolCall, ToolCalls

__all__ = ["Stamper"]

_FINAL: Final = ("completed", "failed")  # no set: a status may be anything, also what has no hash


class Stamper:
    def __init__(self) -> None:
        self.turn_id: str | None = None
        """Of the prompt that runs."""
        self.own_turn_id: str | None = None
        """Of the turn that the agent began by itself. A prompt may have been given to it just then."""
        self.last_turn_id: str | None = None
        self.tasks = RunningTasks()
        self.is_replaying = False
        """True while `session/load` repeats a history that the log has already."""
        self.common_commands: Callable[[], list[dict[str, Any]]] = list
        """Slash commands that the server adds to those that the agent names."""
        self.notes_at_end: Callable[[str | None, Mapping[str, Any]], dict[str, Any]] = (
            lambda _turn_id, _result: {}
        )
        """Of a turn, what its agent does not say itself at the end of it: annotations of the entry that ends it."""
        self._asked: dict[RequestId, tuple[str, dict[str, Any] | None]] = {}
        self._items = OpenItems()
        self._calls = ToolCalls()

    @property
    def running_turn_id(self) -> str | None:
        """The turn of what the agent says by itself."""
        return self.own_turn_id or self.turn_id

    @property
    def running_turns(self) -> set[str]:
        return {id for id in (self.turn_id, self.own_turn_id) if id is not None}

    # What the client's side sends

    def client_frame(
        self,
        step: Step,
        frame: Frame,
        *,
        raw: bytes | None = None,
        annotations: Mapping[str, Any] | None = None,
        answer_annotations: dict[str, Any] | None = None,
    ) -> None:
        """A frame to the agent. `answer_annotations` are those of the answer to it, if it is a request."""
        method = frame.get("method")
        if frame.get("id") is not None and isinstance(method, str):
            self._asked[frame["id"]] = (method, answer_annotations)
        step.append(
            Draft(
                "client",
                raw or dumps(frame),
                frame,
                method=method if isinstance(method, str) else None,
                turn_id=self.turn_id if _begins_a_turn(method) else self.running_turn_id,
                annotations=None if annotations is None else dict(annotations),
            )
        )

    def begin_turn(self, step: Step, turn_id: str) -> None:
        """What was streamed between turns is completed first."""
        self.close_items(step)
        self.turn_id = turn_id

    def answer(
        self,
        step: Step,
        sender: Sender,
        frame: Frame,
        *,
        method: str,
        request_id: str,
        annotations: dict[str, Any],
        turn_id: str | None = None,
    ) -> None:
        """The response to a request of the agent, by a person or by the server for them."""
        step.append(
            Draft(
                sender,
                dumps(frame),
                frame,
                method=method,
                turn_id=turn_id or self.running_turn_id,
                item_id=request_id,
                annotations=annotations,
            )
        )

    # What the server states

    def server_entry(
        self, step: Step, method: str, params: Mapping[str, Any], *, item_id: str | None = None
    ) -> Draft:
        """One of `frames.extensions`; its params are the data of the event of that name."""
        frame = notification(method, params)
        draft = Draft(
            "server",
            dumps(frame),
            frame,
            method=method,
            turn_id=params.get("turnId", self.running_turn_id),
            item_id=item_id,
        )
        step.append(draft)
        return draft

    # What the agent sends

    def update(
        self, step: Step, raw: bytes, frame: Frame, *, other_session: str | None = None
    ) -> bool:
        """A `session/update` notification, the hot path. True when nobody else needs to look at it: it is a piece of
        a message, or another session's."""
        entry = Draft("agent", raw, frame, acp.SESSION_UPDATE, self.own_turn_id or self.turn_id)
        if other_session is not None:
            entry.annotations = {"otherSession": other_session}
            entry.is_chunk = True
            step.drafts.append(entry)
            return True
        if self.is_replaying:
            entry.annotations = {"replay": True}
            step.append(entry)
            return False
        full: OpenItem | None = None
        is_piece = False
        try:
            update = frame["params"]["update"]
            kind = update["sessionUpdate"]
            if kind in CHUNKS:
                entry.is_chunk = True
                full = self._chunk(step, kind, update, len(raw), entry)
                is_piece = True
            elif kind in (acp.TOOL_CALL, acp.TOOL_CALL_UPDATE):
                entry.is_chunk = True
                self._tool(step, update, len(raw), entry)
            elif kind == acp.PLAN:
                self.close_items(step)
            elif kind == acp.AVAILABLE_COMMANDS_UPDATE and (common := self.common_commands()):
                entry.annotations = {"commands": common}
        except (KeyError, TypeError, AttributeError):
            pass  # Not the shape it should have: logged as it came, the projection says so.
        if entry.is_chunk:
            # It says nothing of the session, which `append` would look for.
            step.drafts.append(entry)
        else:
            step.append(entry)
        if full is not None:
            self._items.complete_part(step, full)
        return is_piece

    def agent_request(
        self,
        step: Step,
        raw: bytes,
        frame: Frame,
        *,
        request_id: str | None = None,
        annotations: dict[str, Any] | None = None,
        tool_call: Mapping[str, Any] | None = None,
    ) -> None:
        """`tool_call`: what a permission is about. Gemini and Qwen describe a tool call nowhere else."""
        self.close_items(step)
        turn_id = self.running_turn_id
        if isinstance(tool_call, Mapping) and isinstance(
            tool_id := tool_call.get("toolCallId"), str
        ):
            parent = parent_of(dict(tool_call))
            call = self._call(tool_id, parent, is_announced=True)
            if call is not None:
                # What a permission says beside the change is for who is asked; it is not what came of the call.
                content = [each for each in dicts_in(tool_call.get("content")) if is_diff(each)]
                call.remember({**tool_call, "content": content or None}, size_bytes=len(raw))
            turn_id = self._turn_of(call, parent)
        step.append(
            Draft(
                "agent",
                raw,
                frame,
                method=frame["method"],
                turn_id=turn_id,
                item_id=request_id,
                annotations=annotations,
            )
        )

    def refused_request(self, step: Step, raw: bytes, frame: Frame) -> None:
        """One that is put to nobody."""
        self.close_items(step)
        step.append(
            Draft(
                "agent",
                raw,
                frame,
                method=frame["method"],
                turn_id=self.running_turn_id,
                annotations={"refused": True},
            )
        )

    def tool_so_far(self, tool_id: object) -> Mapping[str, Any]:
        """What the agent has told of a tool call that is open; empty when that is nothing."""
        call = self._calls.get(tool_id)
        return {} if call is None else call.fields

    def turn_of_call(self, tool_call: Mapping[str, Any]) -> str | None:
        """The turn of a tool call that an agent speaks of, which may be over."""
        return self._turn_of(
            self._calls.get(tool_call.get("toolCallId")), parent_of(dict(tool_call))
        )

    def is_in_background(self, tool_call: Mapping[str, Any]) -> bool:
        """A background task does it, so the end of a turn is not its end."""
        return any(
            self._calls.is_in_background(id, self.tasks)
            for id in (tool_call.get("toolCallId"), parent_of(dict(tool_call)))
        )

    def agent_notification(
        self, step: Step, raw: bytes, frame: Frame, *, annotations: dict[str, Any] | None = None
    ) -> None:
        step.append(
            Draft(
                "agent",
                raw,
                frame,
                method=frame.get("method"),
                turn_id=self.running_turn_id,
                annotations=annotations,
            )
        )

    # What the agent does in the background, and by itself

    def task(self, step: Step, raw: bytes, frame: Frame, *, max_tasks: int) -> RunningTask | None:
        """One of `extensions.OF_TASKS`. None when it fits nothing, so that it is only passed on."""
        method, params = frame["method"], as_dict(frame.get("params"))
        started_by = self._calls.get(params.get("toolCallId"))
        task = self.tasks.read(
            method, params, turn_id=self._turn_of(started_by, None), max_tasks=max_tasks
        )
        if task is None:
            self.agent_notification(step, raw, frame)
            return None
        if method == extensions.TASK_ENDED and task.tool_call_id is not None:
            self._items.close(step, task.tool_call_id)
        step.append(
            Draft(
                "agent",
                raw,
                frame,
                method=method,
                turn_id=task.turn_id,
                annotations={"background": True},
            )
        )
        return task

    def end_tasks(self, step: Step, *, status: str, error: Mapping[str, Any] | None = None) -> None:
        """Their agent is gone, and they are with it."""
        for task in self.tasks:
            if task.tool_call_id is not None:
                self._items.close(step, task.tool_call_id)
            params: dict[str, Any] = {"taskId": task.id, "status": status}
            if error is not None:
                params["error"] = error
            draft = self.server_entry(step, extensions.TASK_ENDED, params)
            draft.turn_id = task.turn_id
            self.tasks.end(task)

    def begin_own_turn(self, step: Step, raw: bytes, frame: Frame, turn_id: str) -> None:
        self.close_items(step)
        self.own_turn_id = turn_id
        self._own_turn_entry(step, raw, frame)

    def end_own_turn(self, step: Step, raw: bytes, frame: Frame) -> None:
        """The agent has ended it."""
        self.close_turn(step, self.own_turn_id)
        self._own_turn_entry(step, raw, frame)
        self.end_turn(self.own_turn_id)

    def _own_turn_entry(self, step: Step, raw: bytes, frame: Frame) -> None:
        annotations: dict[str, Any] = {"background": True}
        if frame["method"] == extensions.TURN_ENDED:
            annotations |= self.notes_at_end(self.own_turn_id, as_dict(frame.get("params")))
        step.append(
            Draft(
                "agent",
                raw,
                frame,
                method=frame["method"],
                turn_id=self.own_turn_id,
                annotations=annotations,
            )
        )

    # Answers, and ends

    def asked(self, id: object) -> str | None:
        """The method of the request that waits under this id; None when there is none."""
        known = request_id(id)
        return self._asked[known][0] if known is not None and known in self._asked else None

    def answered_by(self, frame: Frame) -> str | None:
        """The method of the request that a frame of the agent answers; None when it answers nothing."""
        return None if "method" in frame else self.asked(frame.get("id"))

    def agent_response(self, step: Step, raw: bytes, frame: Frame, *, last_words: str = "") -> None:
        """The answer to what began a turn ends it."""
        method = self.answered_by(frame)
        annotations: dict[str, Any] | None = None
        if method is not None and (id := request_id(frame["id"])) is not None:
            annotations = self._asked.pop(id)[1]
        if last_words:
            annotations = {**(annotations or {}), "lastWords": last_words}
        if method in operations.BEGIN_A_TURN:
            notes = self.notes_at_end(self.turn_id, as_dict(frame.get("result")))
            annotations = {**(annotations or {}), **notes} or None
        turn_id = self.running_turn_id
        ends_turn = _begins_a_turn(method)
        if ends_turn:
            turn_id = self.turn_id
            self.close_turn(step, turn_id)
        step.append(
            Draft("agent", raw, frame, method=method, turn_id=turn_id, annotations=annotations)
        )
        if ends_turn:
            self.end_turn(turn_id)

    def close_turn(self, step: Step, turn_id: str | None) -> None:
        """Complete everything that the turn leaves open, and no background task goes on with; call before its
        last entry. Without a turn: what nothing goes on with that runs."""
        self.close_items(step)
        for call in self._calls.left_open(self.running_turns - {turn_id}, self.tasks):
            params = closed_tool_call(call.id, call.fields, is_late=self._is_over(call.turn_id))
            draft = self.server_entry(step, extensions.TOOL_COMPLETED, params, item_id=call.id)
            draft.turn_id = call.turn_id or turn_id
            self._calls.finish(call)

    def end_turn(self, turn_id: str | None) -> None:
        self.last_turn_id = turn_id
        if turn_id == self.own_turn_id:
            self.own_turn_id = None
        else:
            self.turn_id = None

    def take_back(self, id: object) -> None:
        """A request that could not be logged was not asked; a prompt began no turn."""
        if isinstance(id, (str, int)) and _begins_a_turn(self._asked.pop(id, ("",))[0]):
            self.turn_id = None

    def forget_asked(self) -> None:
        """The agent's process is gone: nobody will answer what it was asked."""
        self._asked.clear()

    def close_items(self, step: Step) -> None:
        self._items.close_all(step)

    def forget(self, completion: LogEntry) -> None:
        """What an entry of the server has completed; for a stamper that is told of the past."""
        if completion.method == extensions.TOOL_COMPLETED:
            if (call := self._calls.get(completion.item_id)) is not None:
                self._calls.finish(call)
            return
        self._items.forget(completion)

    def _chunk(
        self, step: Step, kind: str, update: dict[str, Any], size_bytes: int, entry: Draft
    ) -> OpenItem | None:
        """Returns the item when enough of it is held to complete a part."""
        parent = parent_of(update) if "_meta" in update else None
        if parent is not None or entry.turn_id is None:
            self._place(entry, self._turn_of(None, parent))
        return self._items.add(step, entry, update, kind, parent, size_bytes)

    def _tool(self, step: Step, update: dict[str, Any], size_bytes: int, entry: Draft) -> None:
        tool_id = update["toolCallId"]
        if not isinstance(tool_id, str):
            return
        entry.item_id = tool_id
        is_final = update.get("status") in _FINAL
        is_announced = update["sessionUpdate"] == acp.TOOL_CALL
        if is_final or is_announced:
            self.close_items(step)
        parent = parent_of(update)
        call = self._call(tool_id, parent, is_announced=is_announced)
        self._place(entry, self._turn_of(call, parent))
        if call is None:
            return
        if not is_final:
            if not call.is_over:
                call.remember(update, size_bytes=size_bytes)
            return
        if call.is_over:
            # A call ends once. Agents say it twice after a refusal (Qwen) or a cancel (OpenCode).
            entry.annotations = {**(entry.annotations or {}), "duplicate": True}
            return
        rest = {key: value for key, value in call.fields.items() if update.get(key) is None}
        if rest:
            entry.annotations = {**(entry.annotations or {}), "tool": rest}
        self._calls.finish(call)

    def _call(self, tool_id: str, parent: str | None, *, is_announced: bool) -> ToolCall | None:
        """The call, made if it is new; None when too many are open."""
        call = self._calls.get(tool_id)
        running = self.running_turn_id
        # Agents that count their calls anew in every turn use an id twice.
        is_another = (
            call is not None
            and call.is_over
            and is_announced
            and running not in (None, call.turn_id)
        )
        if call is None or is_another:
            return self._calls.add(tool_id, self._turn_of(None, parent), parent)
        call.parent = call.parent or parent
        if call.turn_id is None:  # told of before there was a turn
            call.turn_id = self._turn_of(None, parent)
        return call

    def _turn_of(self, call: ToolCall | None, parent: str | None) -> str | None:
        """Of what the agent says about a call, or as the sub-agent of one."""
        for known in (call, self._calls.get(parent)):
            if known is not None and known.turn_id is not None:
                return known.turn_id
        of_task = self.tasks.turn_of_call.get(parent) if parent is not None else None
        return of_task or self.running_turn_id or self.last_turn_id

    def _is_over(self, turn_id: str | None) -> bool:
        return turn_id is not None and turn_id not in self.running_turns

    def _place(self, entry: Draft, turn_id: str | None) -> None:
        entry.turn_id = turn_id
        if self._is_over(turn_id):
            entry.annotations = {"late": True}


def _begins_a_turn(method: object) -> bool:
    return isinstance(method, str) and method in operations.BEGIN_A_TURN
