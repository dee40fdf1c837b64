"""Errors as agents and their SDKs write them: the cause is shown, and has the right code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox_agent_core.projection.faults import fault_of, says_nothing

API_ERROR = {
    "type": "error",
    "error": {"type": "authentication_error", "message": "invalid x-api-key"},
}


def internal(data: Any, message: str = "Internal error") -> dict[str, Any]:
    return {"code": -32603, "message": message, "data": data}


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (internal({"details": "401 scripted 401"}), "401 scripted 401", "agent_auth_required"),
        (internal({"details": "API Error: 401 " + json.dumps(API_ERROR)}), "API Error: 401", "agent_auth_required"),
        (internal({"details": json.dumps(API_ERROR)}), "invalid x-api-key", "agent_auth_required"),
        (internal(json.dumps(API_ERROR)), "invalid x-api-key", "agent_auth_required"),
        (internal(API_ERROR), "invalid x-api-key", "agent_auth_required"),
        (internal("Please run /login"), "Please run /login", "agent_auth_required"),
        (internal({"error": {"message": "disk on fire"}}), "disk on fire", "agent_error"),
        (internal({"cause": {"cause": {"message": "ECONNREFUSED"}}}), "ECONNREFUSED", "agent_error"),
        (internal({"errors": [{"message": "first"}]}), "first", "agent_error"),
        (internal(["one", "two"]), "one", "agent_error"),
        (internal({"message": "Too many requests"}), "Too many requests", "agent_rate_limited"),
        (internal({"error": {"type": "rate_limit_error", "message": "slow down"}}), "slow down", "agent_rate_limited"),
        (internal({"apiErrorStatus": 429}, "rejected"), "rejected", "agent_rate_limited"),
        (internal({"httpStatusCode": 429}, "exceeded retry limit"), "exceeded retry limit", "agent_rate_limited"),
        (internal({"apiErrorStatus": 529}, "rejected"), "rejected", "agent_overloaded"),
        (internal({"error": {"type": "overloaded_error", "message": "Overloaded"}}), "Overloaded", "agent_overloaded"),
        (internal({"status": 429}, "You exceeded your current quota"), "quota", "quota_exceeded"),
        (internal({"status": 429, "type": "insufficient_quota"}, "no more"), "no more", "quota_exceeded"),
        (internal(None, "Your credit balance is too low to access the API"), "credit", "quota_exceeded"),
        (internal({"status": 400}, "prompt is too long: 300000 tokens"), "too long", "context_overflow"),
        (internal({"code": "context_length_exceeded"}, "This model's maximum context length is 9"), "9", "context_overflow"),
        (internal(None, "The input token count (9) exceeds the maximum number of tokens allowed (8)."), "9", "context_overflow"),
        (internal({"faultCode": "quota_exceeded", "status": 401}, "no"), "no", "quota_exceeded"),
        (internal({"faultCode": "no_such_code"}, "no"), "no", "agent_error"),
        (internal({"statusCode": "401"}, "no"), "no", "agent_auth_required"),
        ({"code": 401, "message": json.dumps(API_ERROR)}, "invalid x-api-key", "agent_auth_required"),
        ({"code": 429, "message": "wait"}, "wait", "agent_rate_limited"),
        ({"code": -32603, "message": "", "data": "why"}, "why", "agent_error"),
        ({"code": -32603, "message": "[object Object]", "data": {"reason": "why"}}, "why", "agent_error"),
        ("a string", "a string", "agent_error"),
        ("Unauthorized", "Unauthorized", "agent_auth_required"),
        (["odd"], "did not say", "agent_error"),
        (None, "did not say", "agent_error"),
        ({"code": -32000, "message": "x"}, "x", "agent_auth_required"),
        ({"code": "storage_error", "message": "401"}, "401", "storage_error"),
        ({"code": -32603, "message": "the file 401.txt has 429 lines"}, "401.txt", "agent_error"),
    ],
)  # fmt: skip
def test_the_cause_is_shown_under_the_right_code(error: Any, message: str, code: str) -> None:
    fault = fault_of(error)
    assert message in fault["message"]
    assert fault["code"] == code


def test_a_message_that_says_something_stays_as_it_is() -> None:
    error = internal({"details": "more"}, "The model is overloaded")
    assert fault_of(error)["message"] == "The model is overloaded"


def test_the_last_words_are_the_cause_where_there_is_no_other() -> None:
    assert says_nothing(internal(None))
    assert not says_nothing(internal({"details": "x"}))
    fault = fault_of(internal(None), "fatal: not logged in")
    assert fault["message"] == "Internal error: fatal: not logged in"
    assert fault["code"] == "agent_auth_required"
    assert fault_of(internal({"details": "x"}), "noise")["message"] == "Internal error: x"


def test_what_is_shown_is_bounded_and_never_fails() -> None:
    deep: Any = "x"
    for _ in range(2000):
        deep = {"error": deep}
    assert fault_of(internal(deep))["message"] == "Internal error"
    assert len(fault_of(internal("y" * 1_000_000))["message"]) < 3000
