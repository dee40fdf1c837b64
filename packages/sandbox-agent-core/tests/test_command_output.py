"""What a command came to has one shape, whichever agent tells it. The inputs are out of their transcripts."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project_wire


def completed(kind: str = "execute", status: str = "completed", **update: Any) -> dict[str, Any]:
    params = {
        "sessionId": "s",
        "update": {
            "sessionUpdate": "tool_call_update", "toolCallId": "c", "kind": kind, "status": status,
            **update,
        },
    }  # fmt: skip
    entry = {
        "seq": 1, "time": "2026-11-23T12:00:00.000Z", "sender": "agent",
        "payload": {"jsonrpc": "2.0", "method": "session/update", "params": params},
    }  # fmt: skip
    event = project_wire(LogEntry.from_wire("ses_1", entry))
    assert event is not None
    data: dict[str, Any] = event["data"]
    return data


@pytest.mark.parametrize(
    ("raw", "output"),
    [
        ({"stdout": "a", "stderr": "b", "exitCode": 0, "durationMs": 7, "cwd": "/w"},
         {"stdout": "a", "stderr": "b", "exitCode": 0, "durationMs": 7}),
        ({"output": "a", "metadata": {"exit": 0}}, {"stdout": "a", "exitCode": 0}),
        ({"aggregated_output": "a", "exit_code": 0, "duration": {"secs": 1, "nanos": 5_000_000}},
         {"stdout": "a", "exitCode": 0, "durationMs": 1005}),
        ({"content": "a", "contents": [{"exitCode": 0}]}, {"stdout": "a", "exitCode": 0}),
        ("a", {"stdout": "a"}),
        ({"code": "rejected"}, {"code": "rejected"}),
        ([1], [1]),
    ],
)  # fmt: skip
def test_the_output_of_a_command_has_one_shape(raw: Any, output: Any) -> None:
    assert completed(rawOutput=raw)["output"] == output


def test_the_output_of_other_tools_is_the_agents() -> None:
    raw = {"output": "a", "metadata": {"exit": 0}}
    assert completed(kind="fetch", rawOutput=raw)["output"] == raw


def test_a_command_with_an_exit_code_that_is_not_0_has_failed() -> None:
    assert completed(rawOutput={"output": "", "metadata": {"exit": 3}})["status"] == "failed"
    assert completed(rawOutput={"output": "", "metadata": {"exit": 0}})["status"] == "completed"
    assert completed(kind="fetch", rawOutput={"exitCode": 3})["status"] == "completed"
