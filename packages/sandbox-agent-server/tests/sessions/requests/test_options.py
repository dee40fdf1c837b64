"""Which option an answer stands for: of an agent's ids nothing is known, but that some outlive the session."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.tool_facts import facts_of
from sandbox_agent_server.sessions.requests.options import (
    choose_option,
    grant_of,
    offers_only_lasting,
)

ONCE = {"optionId": "proceed_once", "kind": "allow_once", "name": "Allow"}
QWEN = [
    {"optionId": "proceed_always_project", "kind": "allow_always", "name": "Always Allow in project: touch *"},
    {"optionId": "proceed_always_user", "kind": "allow_always", "name": "Always Allow for user: touch *"},
    ONCE,
]  # fmt: skip
GEMINI = [
    {"optionId": "proceed_always", "kind": "allow_always", "name": "Allow for this session"},
    {"optionId": "proceed_always_and_save", "kind": "allow_always", "name": "Allow for all future sessions"},
    ONCE,
]  # fmt: skip


def always(id: str, name: str = "") -> dict[str, Any]:
    return {"optionId": id, "kind": "allow_always", "name": name}


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (QWEN, "proceed_once"),
        (GEMINI, "proceed_always"),
        (GEMINI[1:], "proceed_once"),
        ([always("a1", "Always Allow in this project"), always("a2", "Always"), ONCE], "a2"),
        ([always("accept_execpolicy_amendment", "Yes, and don't ask again"), ONCE], "proceed_once"),
        ([always("x", "Always allow `git config user.name` in this session"), ONCE], "x"),
        ([always("allow_always", "Always allow"), ONCE], "allow_always"),
        ([ONCE], "proceed_once"),
    ],
)
def test_always_is_for_the_session(options: list[Any], chosen: str) -> None:
    option = choose_option(options, ("allow_always", "allow_once"))
    assert option is not None
    assert option["optionId"] == chosen


def test_what_outlives_the_session_is_no_way_to_allow_once_either() -> None:
    assert choose_option(QWEN[:2], ("allow_once", "allow_always")) is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [(QWEN, True), (GEMINI, False), ([ONCE], False), ([], False), ([7, {"kind": []}], False)],
)
def test_whether_only_what_outlives_the_session_is_offered(
    options: list[Any], expected: bool
) -> None:
    assert offers_only_lasting(options) is expected


def test_a_grant_is_for_just_that() -> None:
    touch = facts_of({"kind": "execute", "rawInput": {"command": "touch a"}})
    other = facts_of({"kind": "execute", "rawInput": {"command": "touch b"}})

    assert grant_of(touch) == grant_of(touch) != grant_of(other)
    assert grant_of(facts_of({"kind": "execute", "title": "bash"})) is None
    assert grant_of(other.then(touch)) is None
