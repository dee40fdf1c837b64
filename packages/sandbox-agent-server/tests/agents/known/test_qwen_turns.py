"""Qwen's own words for a turn that it begins by itself become common ones, beside its own."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.qwen.turns import QwenTurns


def put_in(frame: dict[str, Any]) -> list[dict[str, Any]]:
    given = wire({"jsonrpc": "2.0", **frame})
    first, *rest = QwenTurns().incoming([given])
    assert first is given
    return [{**each.frame["params"], "method": each.frame["method"]} for each in rest]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (
            {
                "id": 4,
                "method": "_qwencode/start_turn",
                "params": {"sessionId": "s", "taskId": "b1"},
            },
            {"method": "_sandbox_agent/turn.started", "sessionId": "s", "taskId": "b1"},
        ),
        (
            {"method": "_qwencode/start_turn", "params": {"sessionId": "s", "source": "goal"}},
            {"method": "_sandbox_agent/turn.started", "sessionId": "s"},
        ),
        (
            {"method": "_qwencode/end_turn", "params": {"sessionId": "s", "reason": "cancelled"}},
            {"method": "_sandbox_agent/turn.ended", "sessionId": "s", "stopReason": "cancelled"},
        ),
        ({"method": "_qwencode/end_turn"}, {"method": "_sandbox_agent/turn.ended"}),
    ],
)
def test_the_begin_and_the_end_are_announced(frame: dict[str, Any], said: dict[str, Any]) -> None:
    assert put_in(frame) == [said]


def test_nothing_else_is() -> None:
    assert put_in({"method": "_qwencode/else", "params": {"sessionId": "s"}}) == []
