"""Permissions and questions, from Claude's words to ACP's and back."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_server.agents.claude.permissions import permission_answer, permission_params
from sandbox_agent_server.agents.claude.questions import (
    elicitation_answer,
    question_answer,
    question_params,
)

RULE = {
    "type": "addRules",
    "rules": [{"toolName": "Bash", "ruleContent": "touch x *"}],
    "behavior": "allow",
    "destination": "localSettings",
}
ACCEPT_EDITS = {"type": "setMode", "mode": "acceptEdits", "destination": "session"}


def asked(*suggestions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "subtype": "can_use_tool",
        "tool_name": "Bash",
        "input": {"command": "touch x"},
        "permission_suggestions": list(suggestions),
        "tool_use_id": "t1",
    } | fields


def options(request: dict[str, Any]) -> list[tuple[str, str]]:
    params = permission_params(request, session_id="s", cwd="/repo")
    return [(option["optionId"], option["name"]) for option in params["options"]]


def choose(request: dict[str, Any], option_id: str) -> dict[str, Any]:
    result = {"outcome": {"outcome": "selected", "optionId": option_id}}
    return permission_answer(request, result, interrupt=True)


def test_always_is_offered_only_where_claude_suggests_what_to_remember() -> None:
    assert [id for id, _ in options(asked())] == ["allow_once", "reject_once"]
    assert options(asked(RULE))[1] == (
        "allow_always",
        "Always allow Bash(touch x *) in this session",
    )


def test_always_grants_the_rule_for_the_session_and_not_the_mode() -> None:
    request = asked(RULE, ACCEPT_EDITS)
    assert choose(request, "allow_always")["updatedPermissions"] == [
        RULE | {"destination": "session"}
    ]
    assert choose(request, "accept_edits")["updatedPermissions"] == [ACCEPT_EDITS]
    assert [id for id, _ in options(request)] == [
        "allow_once",
        "allow_always",
        "accept_edits",
        "reject_once",
    ]


def test_where_a_mode_is_all_there_is_always_means_the_mode() -> None:
    request = asked(ACCEPT_EDITS, tool_name="Edit")
    assert [id for id, _ in options(request)] == ["allow_once", "allow_always", "reject_once"]
    assert choose(request, "allow_always")["updatedPermissions"] == [ACCEPT_EDITS]


def test_leaving_plan_mode_shows_the_plan() -> None:
    request = asked(tool_name="ExitPlanMode", input={"plan": "1. do it"})
    call = permission_params(request, session_id="s", cwd="/repo")["toolCall"]
    assert call["kind"] == "switch_mode"
    assert call["content"] == [{"type": "content", "content": {"type": "text", "text": "1. do it"}}]
    assert [id for id, _ in options(request)] == ["allow_once", "accept_edits", "reject_once"]
    assert choose(request, "accept_edits")["updatedPermissions"] == [ACCEPT_EDITS]


def test_allow_once_hands_the_input_back_unchanged() -> None:
    assert choose(asked(RULE), "allow_once") == {
        "behavior": "allow",
        "updatedInput": {"command": "touch x"},
    }


def choose_saying(option_id: str, **said: Any) -> dict[str, Any]:
    result = {
        "outcome": {"outcome": "selected", "optionId": option_id},
        "_meta": {"sandbox_agent": said},
    }
    return permission_answer(asked(RULE), result, interrupt=True)


def test_whoever_allows_may_change_what_the_tool_gets() -> None:
    assert choose_saying("allow_always", updatedInput={"command": "ls"}) == {
        "behavior": "allow",
        "updatedInput": {"command": "ls"},
        "updatedPermissions": [RULE | {"destination": "session"}],
    }


def test_a_refusal_says_why_and_may_end_the_turn() -> None:
    assert choose_saying("reject_once", message="not here") == {
        "behavior": "deny",
        "message": "not here",
    }
    assert choose_saying("reject_once", onReject="stop")["interrupt"] is True
    assert choose_saying("reject_once", updatedInput={"command": "ls"})["behavior"] == "deny"


@pytest.mark.parametrize("option_id", ["reject_once", "allow_always", "nonsense", ""])
def test_everything_that_was_not_offered_is_a_no(option_id: str) -> None:
    answer = choose(asked(), option_id)
    assert answer["behavior"] == "deny"
    assert "interrupt" not in answer


@pytest.mark.parametrize(
    "result", [None, {}, {"outcome": None}, {"outcome": {"outcome": "cancelled"}}]
)
def test_a_cancelled_request_stops_the_turn(result: Any) -> None:
    assert permission_answer(asked(RULE), result, interrupt=True)["interrupt"] is True
    assert "interrupt" not in permission_answer(asked(RULE), result, interrupt=False)


def question(**fields: Any) -> dict[str, Any]:
    labels = [{"label": "Red", "description": "the red one"}, {"label": "Blue"}]
    return {
        "question": "Which?",
        "header": "Colour",
        "options": labels,
        "multiSelect": False,
    } | fields


def questions(*items: dict[str, Any]) -> dict[str, Any]:
    return {
        "tool_name": "AskUserQuestion",
        "input": {"questions": list(items)},
        "tool_use_id": "t1",
    }


def test_questions_become_a_form() -> None:
    params = question_params(
        questions(question(), question(question="How many?", multiSelect=True)), session_id="s"
    )
    first, second = params["requestedSchema"]["properties"].items()
    assert params["message"] == "Which?\nHow many?"
    assert first == (
        "q1",
        {
            "type": "string",
            "title": "Colour",
            "description": "Which?",
            "oneOf": [{"const": "Red", "title": "Red"}, {"const": "Blue", "title": "Blue"}],
        },
    )
    assert (second[0], second[1]["type"]) == ("q2", "array")


def test_answers_go_back_by_the_text_of_the_question() -> None:
    request = questions(question(), question(question="How many?", multiSelect=True))
    content = {"q1": "Blue", "q2": ["one", "two"], "q3": "nobody asked"}
    answer = question_answer(request, {"action": "accept", "content": content}, interrupt=True)
    assert answer["updatedInput"]["answers"] == {"Which?": "Blue", "How many?": "one, two"}
    assert answer["updatedInput"]["questions"] == request["input"]["questions"]


@pytest.mark.parametrize(
    ("result", "interrupts"),
    [
        ({"action": "decline"}, False),
        ({"action": "cancel"}, True),
        (None, True),
        ({"action": "accept"}, True),
    ],
)
def test_questions_that_are_not_answered_are_denied(result: Any, interrupts: bool) -> None:
    answer = question_answer(questions(question()), result, interrupt=True)
    assert answer["behavior"] == "deny"
    assert ("interrupt" in answer) == interrupts


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"action": "accept", "content": {"a": 1}}, {"action": "accept", "content": {"a": 1}}),
        ({"action": "decline"}, {"action": "decline"}),
        ({"action": "cancel"}, {"action": "cancel"}),
        (None, {"action": "cancel"}),
    ],
)
def test_the_question_of_an_mcp_server_is_answered_in_kind(result: Any, expected: Any) -> None:
    assert elicitation_answer(result) == expected
