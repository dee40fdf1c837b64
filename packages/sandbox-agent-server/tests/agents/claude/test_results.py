"""How a turn ended, in ACP's words."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_server.agents.claude.results import (
    Spending,
    context_size,
    prompt_answer,
    stop_reason,
)


def answer(result: dict[str, Any], *, last_error: str | None = None) -> dict[str, Any]:
    return prompt_answer(7, [result], is_cancelled=False, last_error=last_error, cost=0.0)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"subtype": "success", "stop_reason": "end_turn"}, "end_turn"),
        ({"subtype": "success", "stop_reason": None}, "end_turn"),
        ({"subtype": "success", "stop_reason": "max_tokens"}, "max_tokens"),
        ({"subtype": "success", "is_error": True, "stop_reason": "refusal"}, "refusal"),
        ({"subtype": "error_max_turns", "is_error": True}, "max_turn_requests"),
        ({"subtype": "error_max_budget_usd", "is_error": True}, None),
        ({"subtype": "error_during_execution", "terminal_reason": "aborted_tools"}, "cancelled"),
        ({"subtype": "success", "is_error": True, "terminal_reason": "api_error"}, None),
        ({"subtype": "error_during_execution", "is_error": True}, None),
        ({"subtype": "error_of_tomorrow"}, None),
    ],
)
def test_stop_reason(result: dict[str, Any], expected: str | None) -> None:
    assert stop_reason(result, is_cancelled=False) == expected


def test_an_old_claude_says_only_that_execution_failed_after_an_interrupt() -> None:
    result = {"subtype": "error_during_execution", "is_error": True}
    assert stop_reason(result, is_cancelled=True) == "cancelled"


def test_an_api_error_keeps_its_facts() -> None:
    error = answer(
        {
            "subtype": "success",
            "is_error": True,
            "api_error_status": 429,
            "terminal_reason": "api_error",
            "result": "API Error: 429 slow down",
        }
    )["error"]
    assert error["code"] == -32603
    assert error["message"] == "API Error: 429 slow down"
    assert error["data"]["apiErrorStatus"] == 429
    assert error["data"]["terminalReason"] == "api_error"


@pytest.mark.parametrize(
    ("status", "last_error"), [(401, None), (None, "authentication_failed"), (401, "server_error")]
)
def test_missing_credentials_have_a_code_of_their_own(status: Any, last_error: Any) -> None:
    result = {"subtype": "success", "is_error": True, "api_error_status": status, "result": "no"}
    assert answer(result, last_error=last_error)["error"]["code"] == -32000


def test_errors_without_a_text_are_still_told() -> None:
    failed = {"subtype": "error_during_execution", "is_error": True}
    assert answer(failed | {"errors": ["a", "b"]})["error"]["message"] == "a; b"
    assert "error_during_execution" in answer(failed)["error"]["message"]


def test_usage_of_an_aborted_message_comes_from_the_models() -> None:
    models = {
        "big": {"inputTokens": 100, "outputTokens": 43, "cacheReadInputTokens": 5},
        "small": {"inputTokens": 1},
    }
    result = {
        "subtype": "success",
        "usage": {"input_tokens": 0, "output_tokens": 0},
        "model_usage_since_last_result": models,
    }
    assert answer(result)["result"]["usage"] == {
        "inputTokens": 101,
        "outputTokens": 43,
        "cachedReadTokens": 5,
        "cachedWriteTokens": 0,
        "totalTokens": 149,
    }


@pytest.mark.parametrize(
    ("model", "size"), [("opus", 5), ("sonnet", 7), ("son", None), (None, None), ("broken", None)]
)
def test_the_context_is_that_of_the_model_in_any_variant(model: Any, size: int | None) -> None:
    usage = {"opus": {"contextWindow": 5}, "sonnet[1m]": {"contextWindow": 7}, "broken": None}
    assert context_size({"modelUsage": usage}, model) == size


def test_spending_goes_on_when_claude_starts_to_count_again() -> None:
    spending = Spending()
    assert [spending.read(total) for total in (0.1, 0.3, 0, 0.05, None)] == [0.1, 0.2, 0, 0.05, 0]
    assert spending.total == 0.35
