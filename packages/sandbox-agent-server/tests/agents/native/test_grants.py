from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_server.agents.native.grants import Grants, Scope
from sandbox_agent_server.agents.native.refusals import InvalidParams

TOUCH = Scope("command", "touch x")


def selected(option_id: str) -> dict[str, Any]:
    return {"outcome": {"outcome": "selected", "optionId": option_id}}


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (selected("allow_once"), "allow"),
        (selected("allow_always"), "allow"),
        (selected("reject_once"), "reject"),
        (selected("no-such-option"), "reject"),
        ({"outcome": {"outcome": "selected"}}, "reject"),
        ({"outcome": {"outcome": "cancelled"}}, "cancel"),
        ({"outcome": "selected"}, "cancel"),
        ({}, "cancel"),
        (None, "cancel"),
    ],
)
def test_only_a_known_yes_allows(answer: dict[str, Any] | None, decision: str) -> None:
    assert Grants().read_answer(TOUCH, answer) == decision


def test_only_always_lasts_and_only_for_its_scope() -> None:
    grants = Grants()

    grants.read_answer(TOUCH, selected("allow_once"))
    assert not grants.covers(TOUCH)
    grants.read_answer(TOUCH, selected("allow_always"))

    assert grants.covers(TOUCH)
    assert not grants.covers(Scope("command", "touch x; rm -rf /"))
    assert not grants.covers(Scope("tool", "touch x"))


def test_in_read_only_nothing_is_granted_and_afterwards_it_is_again() -> None:
    grants = Grants()
    grants.read_answer(TOUCH, selected("allow_always"))

    grants.set_mode("read-only")
    assert not grants.covers(TOUCH)
    grants.set_mode("ask")
    assert grants.covers(TOUCH)


def test_a_mode_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidParams, match="ask, read-only"):
        Grants().set_mode("yolo")


def test_the_name_of_always_says_what_it_covers() -> None:
    names = [Scope("edits").always_name, TOUCH.always_name, Scope("command", "x" * 99).always_name]

    assert names[:2] == [
        "Accept all edits in this session",
        "Always allow `touch x` in this session",
    ]
    assert "x" * 59 + "…" in names[2]
