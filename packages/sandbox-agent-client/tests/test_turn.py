from __future__ import annotations

import pytest
from client_frames import chunk, completed, prompt_answer, server_entry
from sandbox_agent_client import errors
from sandbox_agent_client._turn import TurnReader
from sandbox_agent_core.frames import LogEntry, extensions


def read(*entries: LogEntry) -> TurnReader:
    turn = TurnReader("turn_1")
    for entry in entries:
        turn.take(entry)
    return turn


def test_only_events_of_the_turn_are_given() -> None:
    turn = TurnReader("turn_1")
    taken = [
        turn.take(one)
        for one in (
            chunk(1, turn="turn_0"),
            chunk(2),
            chunk(3, turn=None),
            prompt_answer(4, turn="turn_0"),
        )
    ]
    assert [event is not None for event in taken] == [False, True, False, False]
    assert not turn.is_over


def test_the_text_is_the_last_message_of_the_assistant() -> None:
    turn = read(
        completed(1, "I will look.", id="msg_1"),
        completed(2, "It is ", id="msg_2"),
        completed(3, "done.", id="msg_2"),
        completed(4, "A sub-agent speaks.", id="msg_3", parentToolCallId="call_1"),
        prompt_answer(5),
    )
    assert turn.is_over
    result = turn.result()
    assert (result.turn_id, result.stop_reason, result.text) == (
        "turn_1",
        "end_turn",
        "It is done.",
    )


def test_a_turn_that_the_agent_left_raises_what_the_agent_left_behind() -> None:
    turn = read(
        server_entry(1, extensions.AGENT_EXITED, exitCode=7, stderrTail="boom", expected=False),
        server_entry(
            2,
            extensions.TURN_ENDED,
            turnId="turn_1",
            stopReason="error",
            error={"code": "agent_process_exited", "message": "the agent ended"},
        ),
    )
    with pytest.raises(errors.AgentProcessExited) as caught:
        turn.result()
    assert caught.value.details == {"turnId": "turn_1", "exitCode": 7, "stderrTail": "boom"}


def test_an_error_of_the_agent_is_typed_and_keeps_its_data() -> None:
    fault = {
        "code": "agent_error",
        "rpcCode": -32603,
        "message": "overloaded",
        "data": {"retryAfter": 3, "message": "x"},
    }
    turn = read(
        server_entry(1, extensions.TURN_ENDED, turnId="turn_1", stopReason="error", error=fault)
    )
    with pytest.raises(errors.AgentError, match="overloaded") as caught:
        turn.result()
    assert caught.value.details["retryAfter"] == 3


@pytest.mark.parametrize(
    ("reason", "stop_reason"), [("cancelled", "cancelled"), ("interrupted", "interrupted")]
)
def test_a_prompt_that_never_started_says_so(reason: str, stop_reason: str) -> None:
    turn = read(server_entry(1, extensions.TURN_DROPPED, turnId="turn_1", reason=reason))
    assert turn.result().stop_reason == stop_reason


def test_a_prompt_of_an_ended_session_raises() -> None:
    turn = read(server_entry(1, extensions.TURN_DROPPED, turnId="turn_1", reason="session_ended"))
    with pytest.raises(errors.SessionClosed):
        turn.result()
