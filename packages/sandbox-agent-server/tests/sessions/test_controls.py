"""What a session may be set to: the modes every agent has, and what the agent itself offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sandbox_agent_core.api.policy import PERMISSION_MODES
from sandbox_agent_core.errors import ModeNotSupported, ValueNotSupported
from sandbox_agent_server.sessions.controls import Controls

CLAUDE = {
    "ask": "default",
    "accept-edits": "acceptEdits",
    "read-only": "plan",
    "plan": "plan",
    "bypass": "bypassPermissions",
}


def controls(
    *modes: str, native: Mapping[str, str] | None = None, current: str | None = None
) -> Controls:
    made = Controls(permission_modes=native)
    if modes:
        offered = [{"id": mode, "name": mode} for mode in modes]
        state = {"currentModeId": current or modes[0], "availableModes": offered}
        made.read_session({"sessionId": "s", "modes": state})
    return made


def now_in(mode: str) -> dict[str, Any]:
    update = {"sessionUpdate": "current_mode_update", "currentModeId": mode}
    return {"method": "session/update", "params": {"sessionId": "s", "update": update}}


@pytest.mark.parametrize("mode", PERMISSION_MODES)
def test_a_permission_mode_is_set_as_the_agents_own_where_it_has_one(mode: str) -> None:
    made = controls("default", "acceptEdits", "plan", "bypassPermissions", native=CLAUDE)

    change = made.change_mode(mode)

    assert change.permission_mode == mode
    assert change.native == CLAUDE[mode]
    assert change.call == (
        "session/set_mode", {"modeId": CLAUDE[mode]}, {"modeId": CLAUDE[mode]},
    )  # fmt: skip


def test_where_it_has_none_it_is_put_into_the_one_in_which_it_asks() -> None:
    made = controls("build", "plan", native={"ask": "build"}, current="plan")

    assert made.change_mode("bypass").native == "build"
    assert made.change_mode("accept-edits").native == "build"
    assert made.change_mode("plan").native == "plan"  # of the same name


def test_the_mode_it_started_in_counts_as_asking_when_nobody_says_which_does() -> None:
    made = controls("code", "architect")
    made.read_update(now_in("architect"))

    assert made.change_mode("read-only").native == "code"


@pytest.mark.parametrize("mode", PERMISSION_MODES)
def test_an_agent_without_modes_has_the_permission_modes_all_the_same(mode: str) -> None:
    change = controls().change_mode(mode)

    assert (change.permission_mode, change.call, change.native) == (mode, None, None)


def test_a_mode_of_the_agents_own_says_which_permission_mode_it_is() -> None:
    made = controls("default", "acceptEdits", "plan", "auto", native=CLAUDE)

    assert made.permission_mode == "ask"
    assert made.change_mode("acceptEdits").permission_mode == "accept-edits"
    assert made.change_mode("plan").permission_mode == "plan"
    assert made.change_mode("auto").permission_mode is None


def test_an_agent_that_leaves_a_mode_by_itself_takes_the_permission_mode_with_it() -> None:
    made = controls("default", "plan", native=CLAUDE)
    made.permission_mode = "read-only"
    made.read_update(now_in("plan"))
    assert made.permission_mode == "read-only"

    made.read_update(now_in("default"))

    assert made.permission_mode == "ask"


def test_modes_may_come_as_a_config_option() -> None:
    option = {
        "id": "m", "category": "mode", "currentValue": "ask-me",
        "options": [{"value": "ask-me", "name": "A"}, {"value": "go", "name": "G"}],
    }  # fmt: skip
    made = Controls(permission_modes={"ask": "ask-me", "bypass": "go"})
    made.read_session({"configOptions": [option]})

    change = made.change_mode("bypass")

    assert made.permission_mode == "ask"
    assert change.call is not None
    assert change.call[:2] == ("session/set_config_option", {"configId": "m", "value": "go"})


def test_what_is_neither_is_refused_with_a_list_of_both() -> None:
    made = controls("default", "plan", native=CLAUDE)

    with pytest.raises(ModeNotSupported, match="default, plan, ask, accept-edits") as caught:
        made.change_mode("yolo")

    assert caught.value.details["offered"] == ["default", "plan", *(
        mode for mode in PERMISSION_MODES if mode != "plan"
    )]  # fmt: skip


def test_the_permission_mode_outlives_the_process() -> None:
    made = controls("default", "plan", native=CLAUDE)
    made.permission_mode = "bypass"

    again = Controls(made.snapshot(), permission_modes=CLAUDE)

    assert again.permission_mode == "bypass"


@pytest.mark.parametrize(("name", "value"), [("model", "gpt-0"), ("thoughtLevel", "ultra")])
def test_a_value_that_is_not_offered_is_refused_with_those_that_are(name: str, value: str) -> None:
    options = [
        {"id": "model", "category": "model", "currentValue": "a", "options": [{"value": "a"}]},
        {
            "id": "effort", "category": "thought_level", "currentValue": "low",
            "options": [{"group": "g", "name": "G", "options": [{"value": "low"}]}],
        },
    ]  # fmt: skip
    made = Controls()
    made.read_session({"configOptions": options})

    with pytest.raises(ValueNotSupported) as caught:
        made.setter(name)(value)

    assert caught.value.details["offered"] in (["a"], ["low"])
