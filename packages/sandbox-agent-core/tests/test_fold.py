"""What a transcript is made of."""

from __future__ import annotations

import gc
import weakref

from entries import agent, answer, client, entry, server, update
from logs import Log
from sandbox_agent_core.events import EVENT_CLASSES
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import closed_tool_call, project
from sandbox_agent_core.view import (
    MessageItem,
    NoticeItem,
    PermissionItem,
    PlanItem,
    QuestionItem,
    ReasoningItem,
    ToolItem,
    Transcript,
    TranscriptFolder,
    fold,
)
from sandbox_agent_core.view.fold import _REDUCERS


def _folded(*entries: LogEntry) -> Transcript:
    return fold(event for one in entries if (event := project(one)) is not None)


def test_a_turn_has_its_prompt_its_items_in_order_and_its_end() -> None:
    log = Log()
    log.begin("Fix it")
    log.say("Let me ", "think.", kind="reasoning")
    log.say("On it.", item="m1")
    log.tool("tool_call", "t", title="pytest", status="pending", kind="execute")
    log.tool("tool_call_update", "t", status="completed", rawOutput="ok")
    log.say("Done", ".", item="m2")
    log.end()
    (turn,) = fold(log.events()).turns
    assert turn.prompt is not None
    assert [block.to_wire() for block in turn.prompt] == [{"type": "text", "text": "Fix it"}]
    assert turn.stop_reason == "end_turn"
    assert turn.started_at is not None
    assert turn.ended_at is not None
    thought, first, tool, last = turn.items
    assert isinstance(thought, ReasoningItem)
    assert thought.text == "Let me think."
    assert isinstance(first, MessageItem)
    assert (first.role, first.text, first.streaming) == ("assistant", "On it.", False)
    assert isinstance(tool, ToolItem)
    assert (tool.title, tool.kind, tool.status, tool.output) == (
        "pytest",
        "execute",
        "completed",
        "ok",
    )
    assert isinstance(last, MessageItem)
    assert last.text == "Done."


def test_an_item_is_its_completions_and_then_a_tail_that_the_next_one_replaces() -> None:
    log = Log()
    folder = TranscriptFolder()
    seen = []
    log.say("a", "b")
    log.delta("message", "m", {"type": "text", "text": "c"})
    log.delta("message", "m", {"type": "text", "text": "d"})
    log.complete("message", "m", [{"type": "text", "text": "cd!"}])
    for event in log.events():
        folder.apply(event)
        (item,) = folder.transcript.items()
        assert isinstance(item, MessageItem)
        seen.append((item.text, item.streaming))
    assert seen == [
        ("a", True),
        ("ab", True),
        ("ab", False),
        ("abc", True),
        ("abcd", True),
        ("abcd!", False),
    ]


def test_what_is_not_text_is_an_attachment() -> None:
    image = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
    log = Log()
    log.delta("message", "m", image)
    folder = TranscriptFolder()
    folder.apply(log.events()[0])
    log.complete("message", "m", [{"type": "text", "text": "See"}, image])
    for view in (folder.transcript, fold(log.events())):
        (item,) = view.items()
        assert isinstance(item, MessageItem)
        assert [block.type for block in item.attachments] == ["image"]


def test_an_update_before_its_tool_call_and_a_second_tool_call_are_one_item() -> None:
    log = Log()
    log.begin()
    log.tool("tool_call_update", "t", status="in_progress", rawInput={"a": 1})
    log.tool("tool_call", "t", title="Read", kind="read", status="pending")
    log.tool("tool_call", "t", title="Read a.py")
    (item,) = fold(log.events()).items()
    assert isinstance(item, ToolItem)
    assert (item.title, item.kind, item.input) == ("Read a.py", "read", {"a": 1})
    assert item.status == "in_progress"


def test_the_first_end_of_a_tool_call_is_final_but_late_fields_are_taken_in() -> None:
    log = Log()
    log.begin()
    log.tool("tool_call", "t", title="sleep", status="in_progress")
    log.add(server("tool.completed", closed_tool_call("t", {}), **log.stamps()))
    log.end()
    late = {"item_id": "t", "annotations": {"late": True}, "turn_id": "turn_1"}
    log.add(
        update(
            "tool_call_update",
            toolCallId="t",
            status="completed",
            rawOutput="woke up",
            stamps=log.stamps() | late,
        )
    )
    (item,) = fold(log.events()).items()
    assert isinstance(item, ToolItem)
    assert (item.status, item.reason, item.output, item.late) == (
        "failed",
        "turn_ended",
        "woke up",
        True,
    )


def test_content_is_replaced_and_terminal_output_is_appended() -> None:
    log = Log()
    for text in ("one", "two"):
        content = [{"type": "content", "content": {"type": "text", "text": text}}]
        meta = {"terminal_output": {"data": text}}
        log.tool("tool_call_update", "t", content=content, _meta=meta)
    (item,) = fold(log.events()).items()
    assert isinstance(item, ToolItem)
    assert [block.to_wire() for block in item.content] == [{"type": "text", "text": "two"}]
    assert item.terminal_output == "onetwo"


def test_a_tool_call_that_only_a_permission_described_has_a_title() -> None:
    log = Log()
    log.begin()
    log.ask("req_1")
    log.tool("tool_call_update", "t", status="completed")
    _, item = fold(log.events()).items()
    assert isinstance(item, ToolItem)
    assert (item.title, item.status) == ("rm", "completed")


def test_an_id_that_a_later_turn_uses_again_is_another_tool_call() -> None:
    log = Log()
    for title in ("first", "second"):
        log.begin()
        log.tool("tool_call", "call_0", title=title)
        log.tool("tool_call_update", "call_0", status="completed")
        log.end()
    items = fold(log.events()).items()
    assert [(item.title, item.status) for item in items if isinstance(item, ToolItem)] == [
        ("first", "completed"),
        ("second", "completed"),
    ]


def test_a_plan_is_one_item_of_its_turn() -> None:
    log = Log()
    log.begin()
    for content in ("a", "b"):
        log.add(update("plan", entries=[{"content": content}], stamps=log.stamps()))
    (item,) = fold(log.events()).items()
    assert isinstance(item, PlanItem)
    assert [one.content for one in item.entries] == ["b"]


def test_a_permission_is_pending_until_it_is_resolved() -> None:
    log = Log()
    log.begin()
    log.ask("req_1")
    waiting = fold(log.events())
    assert waiting.pending_requests == ["req_1"]
    (asked,) = waiting.pending()
    assert isinstance(asked, PermissionItem)
    assert asked.outcome is None
    log.allow("req_1")
    answered = fold(log.events())
    assert answered.pending() == []
    (item,) = answered.items()
    assert isinstance(item, PermissionItem)
    assert (item.outcome, item.option_name, item.decided_by) == ("selected", "Yes", "user")
    assert item.tool_call is not None
    assert item.tool_call.title == "rm"


def test_a_question_keeps_what_was_asked_beside_the_answers() -> None:
    schema = {"properties": {"colour": {"type": "string", "title": "Colour?"}}}
    view = _folded(
        agent("elicitation/create", {"message": "?", "requestedSchema": schema}, id=1, item_id="q"),
        answer(
            "elicitation/create",
            {"action": "accept", "content": {"colour": "blue"}},
            sender="client",
            item_id="q",
            seq=2,
        ),
    )
    (item,) = view.items()
    assert isinstance(item, QuestionItem)
    assert item.questions[0].question == "Colour?"
    assert (item.outcome, item.answers) == ("answered", {"colour": "blue"})


def test_things_outside_of_turns_keep_their_place() -> None:
    log = Log()
    log.say("Welcome", item="before")
    log.begin()
    log.say("In", item="inside")
    log.end()
    log.add(server("session.resumed", {"continuity": "native"}, **log.stamps()))
    log.begin()
    view = fold(log.events())
    assert [turn.id for turn in view.turns] == [None, "turn_1", None, "turn_2"]
    assert [len(turn.items) for turn in view.turns] == [1, 1, 1, 0]


def test_a_log_that_is_read_from_its_middle_still_has_its_turns() -> None:
    log = Log()
    log.begin()
    log.say("x")
    log.end()
    view = fold(log.events()[1:])
    assert [(turn.id, turn.prompt, turn.stop_reason) for turn in view.turns] == [
        ("turn_1", None, "end_turn")
    ]


def test_queued_prompts_wait_until_they_start_or_are_dropped() -> None:
    def queued(turn_id: str, seq: int) -> LogEntry:
        return server("turn.queued", {"turnId": turn_id, "position": 1}, turn_id=turn_id, seq=seq)

    one, two = queued("turn_1", 1), queued("turn_2", 2)
    assert [prompt.turn_id for prompt in _folded(one, two).queued] == ["turn_1", "turn_2"]
    started = client("session/prompt", {"prompt": []}, seq=3)
    dropped = server("turn.dropped", {"reason": "cancelled"}, turn_id="turn_2", seq=4)
    assert _folded(one, two, started, dropped).queued == []


def test_the_head_of_a_transcript_is_what_the_session_is_now() -> None:
    option = {"id": "m", "category": "model", "currentValue": "opus"}
    view = _folded(
        server("session.created", {"agent": "claude", "cwd": "/w", "mode": "ask"}, seq=1),
        update("config_option_update", configOptions=[option], stamps={"seq": 2}),
        answer(
            "session/set_config_option", {}, seq=3, annotations={"configId": "m", "value": "haiku"}
        ),
        update("current_mode_update", currentModeId="plan", stamps={"seq": 4}),
        update("available_commands_update", availableCommands=[{"name": "x"}], stamps={"seq": 5}),
        update("usage_update", used=10, size=100, stamps={"seq": 6}),
        update("usage_update", used=20, cost={"amount": 1.5}, stamps={"seq": 7}),
        update("session_info_update", title="Fix it", stamps={"seq": 8}),
        server("permission_mode.changed", {"permissionMode": "read-only", "modeId": "plan"}, seq=9),
        server("session.ended", {"reason": "deleted"}, seq=10),
    )
    assert (view.session_id, view.seq) == ("ses_1", 10)
    assert (view.agent, view.cwd, view.title) == ("claude", "/w", "Fix it")
    assert (view.model, view.mode, view.permission_mode) == ("haiku", "plan", "read-only")
    assert [command.name for command in view.commands] == ["x"]
    assert view.usage is not None
    assert (view.usage.context_used, view.usage.context_size) == (20, 100)
    assert view.usage.cost is not None
    assert view.ended is not None
    assert view.ended.reason == "deleted"


def test_settings_that_are_patched_are_shown_but_the_agent_says_what_its_model_is() -> None:
    option = {"id": "m", "category": "model", "currentValue": "claude-opus-4"}
    created = server("session.created", {"agent": "claude", "metadata": {"ticket": 1}}, seq=1)
    assert _folded(created).metadata == {"ticket": 1}
    patched = server("session.updated", {"model": "opus", "metadata": {}}, seq=3)
    view = _folded(created, patched)
    assert (view.model, view.metadata) == ("opus", {})
    offers = update("config_option_update", configOptions=[option], stamps={"seq": 2})
    assert _folded(created, offers, patched).model == "claude-opus-4"


def test_a_session_that_goes_on_is_not_ended() -> None:
    ended = server("session.ended", {"reason": "deleted"}, seq=1)
    resumed = server("session.resumed", {"continuity": "native"}, seq=2)
    assert _folded(ended).ended is not None
    assert _folded(ended, resumed).ended is None
    assert _folded(ended, client("session/prompt", {"prompt": []}, seq=2)).ended is None


def test_faults_are_notices_and_an_expected_exit_is_none() -> None:
    view = _folded(
        server("error", {"code": "storage_error", "message": "The disk is full."}, seq=1),
        server("agent.exited", {"exitCode": 1, "stderrTail": "boom"}, seq=2),
        server("agent.exited", {"signal": 15, "expected": True}, seq=3),
        entry({"what": "is this"}, seq=4),
        server("log.repaired", {"droppedBytes": 7, "reason": "no end"}, seq=5),
        server("log.damaged", {"lostBytes": 7, "reason": "no JSON"}, seq=6),
        server("mcp.status", {"server": "a", "status": "connected"}, seq=7),
        server("mcp.status", {"server": "b", "status": "failed", "error": "gone"}, seq=8),
    )
    notices = [item for item in view.items() if isinstance(item, NoticeItem)]
    assert [notice.notice for notice in notices] == [
        "error",
        "agent_exited",
        "log_repaired",
        "log_damaged",
        "mcp_status",
    ]
    assert (notices[-1].code, notices[-1].detail) == ("failed", "gone")
    assert notices[0].code == "storage_error"
    assert notices[1].detail == "boom"


def test_an_agent_that_was_killed_for_memory_is_said_to_be() -> None:
    view = _folded(server("agent.exited", {"signal": 9, "reason": "out_of_memory"}, seq=1))
    (notice,) = (item for item in view.items() if isinstance(item, NoticeItem))
    assert "out of memory" in notice.text


def test_an_event_that_was_applied_before_changes_nothing() -> None:
    log = Log()
    log.begin()
    log.say("a")
    folder = TranscriptFolder()
    for event in [*log.events(), *log.events()]:
        folder.apply(event)
    assert folder.transcript.to_wire() == fold(log.events()).to_wire()


def test_every_event_type_has_a_reducer() -> None:
    assert set(_REDUCERS) == set(EVENT_CLASSES.values())


def test_a_folder_goes_with_its_last_reference() -> None:
    folder = TranscriptFolder()
    gone = weakref.ref(folder)
    gc.disable()
    try:
        del folder
        assert gone() is None
    finally:
        gc.enable()
