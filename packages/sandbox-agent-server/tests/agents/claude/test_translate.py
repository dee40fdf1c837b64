"""Pitfalls of Claude Code's protocol that the recorded transcripts do not show, one test each."""

from __future__ import annotations

from typing import Any

from replay import Replay


def stream(event: dict[str, Any], *, parent: str | None = None) -> dict[str, Any]:
    return {"type": "stream_event", "event": event, "parent_tool_use_id": parent}


def start(message_id: str = "m1") -> dict[str, Any]:
    return stream({"type": "message_start", "message": {"id": message_id, "usage": {}}})


def delta(text: str, *, index: int = 0, kind: str = "text") -> dict[str, Any]:
    inner = {"type": f"{kind}_delta", kind: text}
    return stream({"type": "content_block_delta", "index": index, "delta": inner})


def assistant(*blocks: dict[str, Any], message_id: str = "m1", **fields: Any) -> dict[str, Any]:
    message = {"id": message_id, "content": list(blocks)}
    return {"type": "assistant", "message": message, "parent_tool_use_id": None} | fields


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def tool_use(tool_id: str = "t1", name: str = "Bash", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": tool_id, "name": name, "input": given}


def permission(tool_id: str = "t1", request_id: str = "r1", **fields: Any) -> dict[str, Any]:
    request = {
        "subtype": "can_use_tool",
        "tool_name": "Bash",
        "input": {"command": "touch x"},
        "tool_use_id": tool_id,
    }
    return {"type": "control_request", "request_id": request_id, "request": request | fields}


def result(**fields: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": False} | fields


def chunks(replay: Replay) -> list[str]:
    return [update["content"]["text"] for update in replay.updates if "content" in update]


# Text


def test_a_full_message_adds_only_what_was_not_streamed() -> None:
    replay = Replay()
    for message in (start(), delta("Hel"), assistant(text("Hello"))):
        replay.claude(message)
    assert chunks(replay) == ["Hel", "lo"]


def test_a_message_that_was_not_streamed_is_told_whole() -> None:
    replay = Replay()
    for message in (start("m1"), delta("Hello"), assistant(text("Bye"), message_id="m2")):
        replay.claude(message)
    assert chunks(replay) == ["Hello", "Bye"]


def test_blocks_of_one_message_are_not_mistaken_for_each_other() -> None:
    replay = Replay()
    messages = [
        start(),
        delta("think", kind="thinking"),
        assistant({"type": "thinking", "thinking": "think"}),
        delta("one", index=1),
        assistant(text("one")),
        delta("two", index=3),
        assistant(text("two")),
    ]
    for message in messages:
        replay.claude(message)
    assert chunks(replay) == ["think", "one", "two"]


def test_a_sub_agent_does_not_disturb_the_stream_of_its_parent() -> None:
    replay = Replay()
    replay.claude(start())
    replay.claude(delta("Hel"))
    replay.claude(assistant(text("inner"), message_id="m9", parent_tool_use_id="t0"))
    replay.claude(delta("lo"))
    replay.claude(assistant(text("Hello")))
    assert chunks(replay) == ["Hel", "inner", "lo"]


# Nothing is dropped


def test_what_is_unknown_goes_on_as_it_came() -> None:
    replay = Replay()
    unknown = {"type": "novelty", "value": [1, {"deep": True}]}
    system = {"type": "system", "subtype": "hook_started", "hook": "x"}
    for message in (unknown, system):
        replay.claude(message)
    assert replay.to_client == [
        {
            "jsonrpc": "2.0",
            "method": "_claude/novelty",
            "params": {"sessionId": "s", "message": unknown},
        },
        {
            "jsonrpc": "2.0",
            "method": "_claude/hook_started",
            "params": {"sessionId": "s", "message": system},
        },
    ]


def test_an_unknown_block_keeps_its_message_beside_what_is_understood() -> None:
    replay = Replay()
    message = assistant(text("look"), {"type": "hologram", "data": "…"})
    replay.claude(message)
    assert chunks(replay) == ["look"]
    assert replay.to_client[-1]["method"] == "_claude/assistant"


def test_an_unknown_delta_goes_on() -> None:
    replay = Replay()
    inner = {"type": "citations_delta", "citation": {"url": "x"}}
    replay.claude(stream({"type": "content_block_delta", "index": 0, "delta": inner}))
    assert replay.to_client[0]["method"] == "_claude/stream_event"


def test_messages_of_no_shape_break_nothing() -> None:
    replay = Replay()
    replay.prompt()
    for kind in ("stream_event", "assistant", "user", "system", "control_request", "result", None):
        replay.claude({"type": kind})
        replay.claude({"type": kind, "message": 7, "event": [], "request": "x", "subtype": 3})
    assert [frame["id"] for frame in replay.to_client if "result" in frame or "error" in frame] == [
        1
    ]


# Turns


def test_a_result_nobody_waits_for_is_passed_on() -> None:
    replay = Replay()
    replay.claude(result(session_id="s"))
    assert [frame["method"] for frame in replay.to_client] == ["_claude/result"]


def test_the_result_of_a_background_turn_does_not_answer_the_prompt() -> None:
    replay = Replay()
    lifecycle = {"type": "command_lifecycle", "command_uuid": "u1"}
    replay.prompt(uuid="u1")
    replay.claude(lifecycle | {"state": "queued"})
    replay.claude(result(result="the background task is done"))
    assert [frame["method"] for frame in replay.to_client] == ["_claude/result"]

    replay.claude(lifecycle | {"state": "started"})
    replay.claude(result(user_message_uuids=["u1"]))
    assert replay.to_client[-1]["result"]["stopReason"] == "end_turn"


def test_a_failed_turn_that_names_no_prompt_answers_the_one_that_runs() -> None:
    replay = Replay()
    replay.prompt(uuid="u1")
    replay.claude({"type": "command_lifecycle", "command_uuid": "u1", "state": "started"})
    replay.claude(result(subtype="error_during_execution", is_error=True, user_message_uuids=[]))
    assert replay.to_client[-1]["error"]["code"] == -32603


def test_a_prompt_that_was_folded_into_another_turn_is_answered() -> None:
    replay = Replay()
    replay.prompt(uuid="u1")
    for state in ("queued", "started", "completed"):
        replay.claude({"type": "command_lifecycle", "command_uuid": "u1", "state": state})
    assert replay.to_client == [{"jsonrpc": "2.0", "id": 1, "result": {"stopReason": "end_turn"}}]


def test_the_lifecycle_after_the_result_answers_nothing_twice() -> None:
    replay = Replay()
    replay.prompt(uuid="u1")
    replay.claude(result(user_message_uuids=["u1"]))
    replay.claude({"type": "command_lifecycle", "command_uuid": "u1", "state": "completed"})
    assert len(replay.to_client) == 1


def test_an_interrupt_that_came_too_early_is_sent_again() -> None:
    # 2.1.330 without cancel_queued: answered at once, and the turn begins all the same.
    replay = Replay()
    replay.prompt()
    replay.cancel()
    replay.claude({"type": "system", "subtype": "init", "session_id": "s"})
    replay.claude({"type": "system", "subtype": "status", "status": "requesting"})
    replay.claude(result(is_error=True, subtype="error_during_execution"))
    replay.claude({"type": "system", "subtype": "status", "status": "requesting"})
    ids = [reply["request_id"] for reply in replay.to_claude]
    assert ids == ["interrupt-1", "interrupt-2", "interrupt-3"]
    assert replay.to_client[-1]["result"]["stopReason"] == "cancelled"


def test_a_turn_that_was_faster_than_the_cancel_ends_normally() -> None:
    replay = Replay()
    replay.prompt()
    replay.cancel()
    replay.claude(result(stop_reason="end_turn"))
    assert replay.to_client[-1]["result"]["stopReason"] == "end_turn"


# Requests


def test_a_permission_for_a_call_nobody_told_of_tells_of_it_first() -> None:
    replay = Replay()
    replay.claude(permission())
    replay.claude(assistant(tool_use(command="touch x")))
    kinds = [update["sessionUpdate"] for update in replay.updates]
    assert kinds == ["tool_call", "tool_call_update"]
    assert replay.to_client[1]["method"] == "session/request_permission"


def test_a_sub_agent_that_asks_before_its_message_comes_is_known_by_its_task() -> None:
    replay = Replay()
    task = {"type": "system", "subtype": "task_started", "task_id": "a1", "tool_use_id": "t0"}
    replay.claude(task)
    replay.claude(permission(agent_id="a1"))
    (call,) = [item for item in replay.updates if item["sessionUpdate"] == "tool_call"]
    asked = replay.to_client[-1]["params"]["toolCall"]
    assert call["_meta"]["parentToolCallId"] == "t0"
    assert asked["_meta"]["parentToolCallId"] == "t0"


def test_the_request_of_a_client_that_nobody_can_answer_is_refused() -> None:
    replay = Replay()
    request = {"subtype": "hook_callback", "callback_id": "x"}
    replay.claude({"type": "control_request", "request_id": "r1", "request": request})
    assert replay.to_claude[0]["response"]["subtype"] == "error"
    assert replay.to_client[0]["method"] == "_claude/control_request"


def test_a_withdrawn_request_takes_no_answer() -> None:
    replay = Replay()
    replay.claude(permission())
    replay.claude({"type": "control_cancel_request", "request_id": "r1"})
    replay.client({"id": "r1", "result": {"outcome": {"outcome": "cancelled"}}}, None)
    assert replay.to_client[-1]["params"] == {"requestId": "r1"}
    assert not replay.to_claude


def test_an_error_as_the_answer_is_a_no() -> None:
    replay = Replay()
    replay.claude(permission())
    output = replay.translator.answer("r1", None)
    assert output.replies[0]["response"]["response"]["behavior"] == "deny"


# Changes


def test_init_says_only_what_is_new() -> None:
    replay = Replay()
    init = {"type": "system", "subtype": "init", "session_id": "s", "model": "claude-opus-5-5"}
    first = init | {"slash_commands": ["verify", "compact", "context"], "permissionMode": "default"}
    replay.claude(first | {"uuid": "1"})
    replay.claude(first | {"uuid": "2", "user_message_uuids": ["x"]})
    assert [frame["method"] for frame in replay.to_client] == ["_claude/init"]

    replay.out.clear()
    replay.claude(first | {"slash_commands": ["verify", "new"], "permissionMode": "plan"})
    assert [update["sessionUpdate"] for update in replay.updates] == [
        "current_mode_update",
        "config_option_update",
        "available_commands_update",
    ]
    commands = replay.updates[-1]["availableCommands"]
    assert [command["description"] for command in commands] == ["Verify a change", ""]


def test_a_model_that_claude_chose_itself_is_told() -> None:
    replay = Replay()
    init = {"type": "system", "subtype": "init", "session_id": "s", "model": "claude-haiku-5-5"}
    replay.claude(init)
    options = {option["id"]: option for option in replay.updates[0]["configOptions"]}
    assert options["model"]["currentValue"] == "haiku"
    assert "effort" not in options, "this model has no levels"


def test_local_output_without_a_command_is_no_answer() -> None:
    replay = Replay()
    replay.prompt("hello")
    content = "<local-command-stdout>Set model to haiku</local-command-stdout>"
    replay.claude({"type": "user", "message": {"role": "user", "content": content}})
    assert [frame["method"] for frame in replay.to_client] == ["_claude/user"]


def test_several_results_in_one_message_share_no_record() -> None:
    replay = Replay()
    replay.claude(assistant(tool_use("t1", command="a"), tool_use("t2", command="b")))
    blocks = [
        {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
        {"type": "tool_result", "tool_use_id": "t2", "content": "two"},
    ]
    message = {"role": "user", "content": blocks}
    replay.claude({"type": "user", "message": message, "tool_use_result": {"stdout": "wrong"}})
    outputs = [update["rawOutput"]["stdout"] for update in replay.updates[2:]]
    assert outputs == ["one", "two"]


def test_todos_become_a_plan_when_they_are_written() -> None:
    replay = Replay()
    todos = [
        {"content": "one", "status": "completed", "activeForm": "doing one"},
        {"content": "two", "status": "in_progress", "activeForm": "doing two"},
    ]
    replay.claude(assistant(tool_use("t1", "TodoWrite", todos=todos)))
    block = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
    replay.claude({"type": "user", "message": {"role": "user", "content": [block]}})
    assert replay.updates[-1] == {
        "sessionUpdate": "plan",
        "entries": [
            {"content": "one", "priority": "medium", "status": "completed"},
            {"content": "two", "priority": "medium", "status": "in_progress"},
        ],
    }
