"""Which version of ACP is spoken, and what an answer in it means."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_server.acp.remote.attachment import Question
from sandbox_agent_server.acp.remote.dialects import dialect_of

PERMISSION = Question("s", "r", 1, "session/request_permission", ("yes",))
QUESTION = Question("s", "r", 1, "elicitation/create", ())
DRAFT = dialect_of({"protocolVersion": 2}, with_draft=True)


@pytest.mark.parametrize("asked", [0, 1, 1.5, True, None, "2"])
def test_the_draft_is_only_for_who_asks_for_it(asked: Any) -> None:
    stable = dialect_of({"protocolVersion": 1}, with_draft=False)
    assert dialect_of({"protocolVersion": asked}, with_draft=True) is stable
    assert dialect_of({"protocolVersion": 2}, with_draft=False) is stable
    assert stable is not DRAFT
    assert dialect_of({"protocolVersion": 99}, with_draft=True) is DRAFT


@pytest.mark.parametrize(
    "result",
    [
        None,
        [],
        {},
        {"outcome": "selected"},
        {"outcome": {"outcome": "_new", "optionId": "yes"}},
        {"outcome": {"outcome": "selected"}},
        {"outcome": {"outcome": ["selected"], "optionId": "yes"}},
        {"outcome": {"outcome": "selected", "optionId": ["yes"]}},
        {"outcome": {"outcome": "selected", "optionId": "other"}},
    ],
)
def test_what_is_not_understood_approves_nothing(result: Any) -> None:
    answer = DRAFT.understood({"id": 1, "result": result}, PERMISSION)
    assert answer["result"] == {"outcome": {"outcome": "cancelled"}}
    odd = {"action": [], **(result if isinstance(result, dict) else {})}
    assert DRAFT.understood({"id": 1, "result": odd}, QUESTION)["result"]["action"] == "cancel"


def test_what_is_clear_goes_as_it_is() -> None:
    chosen = {"outcome": {"outcome": "selected", "optionId": "yes"}, "_meta": {"a": 1}}
    for answer, question in (
        ({"id": 1, "result": chosen}, PERMISSION),
        ({"id": 1, "error": {"code": -32800, "message": "no"}}, PERMISSION),
        ({"id": 1, "result": {"action": "accept", "content": {"a": 1}}}, QUESTION),
    ):
        assert DRAFT.understood(answer, question) is answer
