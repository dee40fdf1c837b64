"""What no recording shows: settling, cancelling at the wrong moment, messages of odd shapes."""

from __future__ import annotations

from typing import Any

import pytest
from pi_replay import Replay

AGENT_END = {"type": "agent_end", "messages": []}
STATS = {"contextUsage": {"tokens": 7, "contextWindow": 100}, "cost": 0.5}


def said(stop: str = "stop", **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": [], "stopReason": stop, "model": "m", **fields}
    return {"type": "message_end", "message": message}


def test_the_end_of_a_run_is_the_end_of_the_prompt_only_when_nothing_follows() -> None:
    replay = Replay()
    replay.accepted_prompt()

    replay.pi(said(), AGENT_END)
    assert replay.answers == []
    replay.answer_fence(**STATS)

    assert [answer["result"]["stopReason"] for answer in replay.answers] == ["end_turn"]


@pytest.mark.parametrize(
    "more",
    [
        {"type": "auto_retry_start", "attempt": 1},
        {"type": "compaction_start", "reason": "threshold"},
        {"type": "agent_start"},
    ],
)
def test_what_follows_a_run_belongs_to_the_prompt(more: dict[str, Any]) -> None:
    replay = Replay()
    replay.accepted_prompt()
    replay.pi(said("error", errorMessage="overloaded"), AGENT_END, more)

    replay.answer_fence(**STATS)

    assert replay.answers == []


def test_a_compaction_that_lets_pi_try_again_is_not_the_end() -> None:
    replay = Replay()
    replay.accepted_prompt()
    replay.pi(said("error", errorMessage="too long"), AGENT_END)
    replay.pi({"type": "compaction_start", "reason": "overflow"})

    replay.pi({"type": "compaction_end", "reason": "overflow", "willRetry": True})
    replay.answer_fence(**STATS)
    assert replay.answers == []

    replay.pi({"type": "agent_start"}, said(), AGENT_END)
    replay.answer_fence(**STATS)
    assert replay.answers[0]["result"]["stopReason"] == "end_turn"


def test_a_compaction_after_the_run_is_told_and_waited_for() -> None:
    replay = Replay()
    replay.accepted_prompt()
    replay.pi(said(), AGENT_END, {"type": "compaction_start", "reason": "threshold"})

    replay.pi({"type": "compaction_end", "reason": "threshold", "willRetry": False})
    replay.answer_fence(contextUsage={"tokens": None, "contextWindow": 100})

    assert replay.answers[0]["result"]["stopReason"] == "end_turn"
    methods = [frame.get("method") for frame in replay.to_client]
    assert methods == ["_pi/compaction_start", "_pi/compaction_end", None]


def test_a_compaction_before_the_run_ends_nothing() -> None:
    replay = Replay()
    replay.prompt(command="p1")

    replay.pi({"type": "compaction_start"}, {"type": "compaction_end", "willRetry": False})

    assert len(replay.to_pi) == 1


def test_a_pi_that_says_when_it_has_settled_is_waited_for() -> None:
    replay = Replay(says_settled=True)
    replay.accepted_prompt()

    replay.pi(said(), AGENT_END)
    assert replay.to_pi[-1]["type"] == "get_state"
    replay.pi({"type": "agent_settled"})
    replay.answer_fence(**STATS)

    assert replay.answers[0]["result"]["stopReason"] == "end_turn"


def test_a_command_that_starts_no_run_is_answered() -> None:
    replay = Replay()
    replay.prompt("/ask")
    replay.pi({"type": "response", "id": "p1", "command": "prompt", "success": True})

    replay.answer_fence(isStreaming=False)

    assert replay.answers[0]["result"]["stopReason"] == "end_turn"


def test_a_prompt_queued_behind_the_run_of_an_extension_ends_with_it() -> None:
    replay = Replay()
    replay.prompt()
    replay.pi({"type": "response", "id": "p1", "command": "prompt", "success": True})
    replay.answer_fence(isStreaming=True)
    assert replay.answers == []

    replay.pi(said(), AGENT_END)
    replay.answer_fence(**STATS)

    assert replay.answers[0]["result"]["stopReason"] == "end_turn"


def test_a_prompt_that_pi_refuses_is_an_error() -> None:
    replay = Replay()
    replay.prompt()

    replay.pi(
        {"type": "response", "id": "p1", "success": False, "error": "No API key found for x."}
    )

    assert replay.answers[0]["error"]["code"] == -32000
    assert not replay.translator.is_prompted


def test_an_abort_that_came_before_the_run_is_sent_again() -> None:
    replay = Replay()
    replay.prompt()
    replay.cancel()

    replay.pi({"type": "agent_start"})

    assert [line["type"] for line in replay.to_pi] == ["prompt", "abort", "abort"]


def test_a_turn_that_ended_by_itself_just_before_the_cancel_was_not_cancelled() -> None:
    replay = Replay()
    replay.accepted_prompt()
    replay.pi(said(), AGENT_END)

    replay.cancel()
    replay.answer_fence(**STATS)

    assert replay.answers[0]["result"]["stopReason"] == "end_turn"


@pytest.mark.parametrize(
    ("stop", "reason"), [("stop", "end_turn"), ("length", "max_tokens"), ("aborted", "cancelled")]
)
def test_stop_reasons(stop: str, reason: str) -> None:
    replay = Replay()
    replay.accepted_prompt()

    replay.pi(said(stop), AGENT_END)
    replay.answer_fence(**STATS)

    assert replay.answers[0]["result"]["stopReason"] == reason


def test_usage_is_the_sum_of_the_turn_and_the_state_of_the_session() -> None:
    usage = {"input": 3, "output": 2, "reasoning": 1, "totalTokens": 6, "cost": {"total": 0.25}}
    replay = Replay()
    replay.accepted_prompt()

    replay.pi(said("toolUse", usage=usage), said(usage=usage), AGENT_END)
    replay.answer_fence(**STATS)

    assert replay.answers[0]["result"]["usage"] == {
        "inputTokens": 6,
        "outputTokens": 4,
        "cachedReadTokens": 0,
        "cachedWriteTokens": 0,
        "totalTokens": 12,
        "thoughtTokens": 2,
    }
    assert replay.answers[0]["result"]["_meta"]["cost"] == {"amount": 0.5, "currency": "USD"}
    [update] = replay.updates
    assert (update["used"], update["size"], update["cost"]["amount"]) == (7, 100, 0.5)


def test_text_that_was_not_streamed_is_told_with_the_whole_message() -> None:
    replay = Replay()
    replay.accepted_prompt()
    replay.pi({"type": "message_start", "message": {"role": "assistant"}})
    delta = {"type": "text_delta", "contentIndex": 0, "delta": "Hello"}
    replay.pi({"type": "message_update", "assistantMessageEvent": delta})

    content = [{"type": "text", "text": "Hello there"}, {"type": "thinking", "thinking": "hm"}]
    replay.pi(said(content=content))

    assert [(update["sessionUpdate"], update["content"]["text"]) for update in replay.updates] == [
        ("agent_message_chunk", "Hello"),
        ("agent_message_chunk", " there"),
        ("agent_thought_chunk", "hm"),
    ]


def test_only_what_did_not_come_from_the_prompt_is_told_as_a_message_of_the_user() -> None:
    replay = Replay()
    replay.accepted_prompt()
    for text in ("hello", "from an extension"):
        message = {"role": "user", "content": [{"type": "text", "text": text}]}
        replay.pi({"type": "message_end", "message": message})

    [update] = replay.updates
    assert update["content"]["text"] == "from an extension"


def test_a_permission_for_a_call_that_ends_is_withdrawn() -> None:
    replay = Replay()
    replay.accepted_prompt()
    title = (
        '{"sandboxAgent":"permission","toolCallId":"t","toolName":"bash","input":{"command":"x"}}'
    )
    replay.pi({"type": "extension_ui_request", "id": "d", "method": "select", "title": title})

    replay.pi(
        {"type": "tool_execution_end", "toolCallId": "t", "toolName": "bash", "isError": True}
    )

    assert {"requestId": "d"} in [frame.get("params") for frame in replay.to_client]


def test_an_answer_that_nobody_waits_for_is_dropped() -> None:
    replay = Replay()

    output = replay.translator.answer("gone", {"outcome": {"outcome": "cancelled"}})

    assert (output.frames, output.replies) == ([], [])


def test_a_failing_extension_is_an_error_of_the_session() -> None:
    replay = Replay()

    replay.pi({"type": "extension_error", "extensionPath": "x.ts", "event": "e", "error": "boom"})

    [frame] = replay.to_client
    assert frame["method"] == "_sandbox_agent/error"
    assert "boom" in frame["params"]["message"]


def test_what_is_unknown_is_passed_on_whole() -> None:
    message = {"type": "news_of_tomorrow", "text": "x"}
    replay = Replay()

    replay.pi(message)

    [frame] = replay.to_client
    assert frame["method"] == "_pi/news_of_tomorrow"
    assert frame["params"]["message"] == message


def test_a_level_that_an_extension_sets_is_told() -> None:
    replay = Replay()

    replay.pi({"type": "thinking_level_changed", "level": "high"})

    [update] = replay.updates
    assert update["configOptions"][1]["currentValue"] == "high"


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": None},
        {"type": "message_update"},
        {"type": "message_update", "assistantMessageEvent": {"type": "text_delta"}},
        {"type": "message_end", "message": {"role": "assistant", "content": ["x", {"type": "text"}]}},
        {"type": "message_end", "message": {"role": "assistant", "usage": 1, "content": None}},
        {"type": "tool_execution_update", "toolCallId": 7, "partialResult": "x"},
        {"type": "tool_execution_end", "toolCallId": "t", "result": None},
        {"type": "extension_ui_request", "method": "select"},
        {"type": "extension_ui_request", "id": "d", "method": "select", "options": 3},
        {"type": "extension_ui_request", "id": "d", "method": "select", "title": '{"sandboxAgent":"permission"'},
        {"type": "response", "id": {"a": 1}, "success": False},
        {"type": "compaction_end"},
    ],
)  # fmt: skip
def test_messages_of_odd_shapes_break_nothing(message: dict[str, Any]) -> None:
    replay = Replay()
    replay.accepted_prompt()

    replay.pi(message, said(), AGENT_END)
    replay.answer_fence(**STATS)

    assert replay.answers[-1]["result"]["stopReason"] == "end_turn"
