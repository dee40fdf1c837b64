"""What a session may be set to: the modes every agent has, and what the agent itself offers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from sandbox_agent_core.api.policy import PERMISSION_MODES
from sandbox_agent_core.errors import ModeNotSupported, ValueNotSupported
from sandbox_agent_server.agents.runner.config_options import (
    ConfigOptions,
    Setting,
    agent_session_id_of,
)

CLAUDE = {
    "ask": "default",
    "accept-edits": "acceptEdits",
    "read-only": "plan",
    "plan": "plan",
    "bypass": "bypassPermissions",
}


def opened(
    *modes: str, native: Mapping[str, str] | None = None, current: str | None = None
) -> ConfigOptions:
    """As they are after the session of an agent with these modes was opened."""
    made = ConfigOptions(native_modes=native or {})
    if not modes:
        return made
    offered = [{"id": mode, "name": mode} for mode in modes]
    state = {"currentModeId": current or modes[0], "availableModes": offered}
    return made.after_session({"sessionId": "s", "modes": state})


def now_in(mode: str) -> dict[str, Any]:
    update = {"sessionUpdate": "current_mode_update", "currentModeId": mode}
    return {"method": "session/update", "params": {"sessionId": "s", "update": update}}


@pytest.mark.parametrize("mode", [mode for mode in PERMISSION_MODES if mode != "accept-edits"])
def test_a_permission_mode_is_set_as_the_agents_own_where_it_has_one(mode: str) -> None:
    made = opened("default", "acceptEdits", "plan", "bypassPermissions", native=CLAUDE)

    change = made.change_mode(mode)

    assert change.permission_mode == mode
    assert change.native == CLAUDE[mode]
    expected = {"modeId": CLAUDE[mode]}
    assert change.setting == Setting("session/set_mode", expected, expected)


def test_edits_are_accepted_by_the_policy_and_asked_for_by_the_agent() -> None:
    made = opened("acceptEdits", "default", "plan", native=CLAUDE)
    change = made.change_mode("accept-edits")

    assert change[1:] == ("accept-edits", "default")
    chosen = made.with_permission_mode("accept-edits", native="default")
    assert chosen.after_update(now_in("default")).permission_mode == "accept-edits"


def test_where_it_has_none_it_is_put_into_the_one_in_which_it_asks() -> None:
    made = opened("build", "plan", native={"ask": "build"}, current="plan")

    assert made.change_mode("bypass").native == "build"
    assert made.change_mode("accept-edits").native == "build"
    assert made.change_mode("plan").native == "plan"  # of the same name


def test_the_mode_it_started_in_counts_as_asking_when_nobody_says_which_does() -> None:
    made = opened("code", "architect").after_update(now_in("architect"))

    assert made.change_mode("read-only").native == "code"


@pytest.mark.parametrize("mode", PERMISSION_MODES)
def test_an_agent_without_modes_has_the_permission_modes_all_the_same(mode: str) -> None:
    change = opened().change_mode(mode)

    assert (change.permission_mode, change.setting, change.native) == (mode, None, None)


def test_a_mode_of_the_agents_own_says_which_permission_mode_it_is() -> None:
    made = opened("default", "acceptEdits", "plan", "auto", native=CLAUDE)

    assert made.permission_mode == "ask"
    assert made.change_mode("acceptEdits").permission_mode == "accept-edits"
    assert made.change_mode("plan").permission_mode == "plan"
    assert made.change_mode("auto").permission_mode is None


def test_an_agent_may_tighten_the_mode_by_itself_and_never_loosen_what_a_person_chose() -> None:
    made = opened("default", "acceptEdits", "plan", "bypassPermissions", native=CLAUDE)
    in_plan = made.after_update(now_in("plan"))
    back = in_plan.after_update(now_in("default"))
    loose = back.after_update(now_in("bypassPermissions"))

    assert [one.permission_mode for one in (made, in_plan, back, loose)] == [
        "ask",
        "plan",
        "ask",
        "ask",
    ]
    assert [one.is_loosened for one in (made, in_plan, back, loose)] == [False, False, False, True]
    chosen = made.with_permission_mode("read-only", native="plan")
    assert chosen.after_update(now_in("plan")).permission_mode == "read-only"
    assert chosen.after_update(now_in("default")).permission_mode == "read-only"
    assert chosen.after_update(now_in("default")).change_back().native == "plan"
    assert not made.with_permission_mode("bypass").after_update(now_in("default")).is_loosened


def test_what_a_person_allowed_the_agent_may_do_once() -> None:
    plan = opened("default", "acceptEdits", "plan", "bypassPermissions", native=CLAUDE)
    plan = plan.with_permission_mode("plan", native="plan").allowing("accept-edits")
    edits = plan.after_update(now_in("acceptEdits"))

    assert (edits.permission_mode, edits.is_loosened) == ("accept-edits", False)
    assert edits.after_update(now_in("bypassPermissions")).permission_mode == "accept-edits"
    assert plan.after_update(now_in("bypassPermissions")).permission_mode == "plan"
    assert plan.allowing(None).after_update(now_in("acceptEdits")).is_loosened


def test_a_mode_that_nobody_knows_may_allow_anything_where_modes_are_about_permissions() -> None:
    assert opened("default", "auto", native=CLAUDE).after_update(now_in("auto")).is_loosened
    personas = opened("build", "review", native={"ask": "build", "plan": "plan"})
    assert not personas.after_update(now_in("review")).is_loosened
    chosen = opened("default", "auto", native=CLAUDE).with_permission_mode(None, native="auto")
    assert not chosen.after_update(now_in("auto")).is_loosened


def test_a_mode_of_the_agents_own_can_have_the_name_of_a_permission_mode() -> None:
    kilo = opened("code", "ask", "plan", native={"ask": "code", "plan": "plan"})

    assert kilo.change_mode("ask").native == "code"
    assert kilo.change_mode("native:ask")[1:] == (None, "ask")
    assert kilo.change_mode("native:code")[1:] == ("ask", "code")
    with pytest.raises(ModeNotSupported):
        kilo.change_mode("native:bypass")


@pytest.mark.parametrize(
    ("modes", "native", "current", "asks", "can"),
    [
        ((), {}, None, True, True),
        (("default", "yolo"), CLAUDE, None, True, True),
        (("default", "yolo"), CLAUDE, "yolo", False, True),
        (("ask", "auto"), {}, "auto", False, True),
        (("slow", "fast"), {}, None, False, False),
    ],
)
def test_whether_an_agent_asks_is_known_or_not(
    modes: tuple[str, ...], native: Mapping[str, str], current: str | None, asks: bool, can: bool
) -> None:
    made = opened(*modes, native=native, current=current)
    assert (made.is_asking, made.can_ask) == (asks, can)


def test_modes_may_come_as_a_config_option() -> None:
    option = {
        "id": "m", "category": "mode", "currentValue": "ask-me",
        "options": [{"value": "ask-me", "name": "A"}, {"value": "go", "name": "G"}],
    }  # fmt: skip
    made = ConfigOptions(native_modes={"ask": "ask-me", "bypass": "go"})
    made = made.after_session({"configOptions": [option]})

    change = made.change_mode("bypass")

    assert made.permission_mode == "ask"
    expected = {"configId": "m", "value": "go"}
    assert change.setting == Setting("session/set_config_option", expected, expected)


def test_what_is_neither_is_refused_with_a_list_of_both() -> None:
    made = opened("default", "plan", native=CLAUDE)

    with pytest.raises(ModeNotSupported, match="default, plan, ask, accept-edits") as caught:
        made.change_mode("yolo")

    assert caught.value.details["offered"] == ["default", "plan", *(
        mode for mode in PERMISSION_MODES if mode != "plan"
    )]  # fmt: skip


def test_all_but_what_the_definition_says_outlives_the_process() -> None:
    models = {"currentModelId": "a", "availableModels": [{"modelId": "a"}, {"modelId": "b"}]}
    made = opened("default", "plan", native=CLAUDE).after_session(
        {"models": models, "configOptions": OPTIONS}
    )
    made = made.with_permission_mode("bypass")

    stored = made.to_wire()

    assert json.loads(json.dumps(stored)) == stored
    assert ConfigOptions.from_wire(stored, native_modes=CLAUDE) == made
    assert ConfigOptions.from_wire({}, native_modes={}) == ConfigOptions()


OPTIONS = [
    {"id": "model", "category": "model", "currentValue": "a", "options": [{"value": "a"}]},
    {
        "id": "effort", "category": "thought_level", "currentValue": "low",
        "options": [{"group": "g", "name": "G", "options": [{"value": "low"}, {"value": "high"}]}],
    },
]  # fmt: skip


def test_a_value_that_is_not_offered_is_refused_with_those_that_are() -> None:
    made = ConfigOptions().after_session({"configOptions": OPTIONS})

    with pytest.raises(ValueNotSupported) as model:
        made.set_model("gpt-0")
    with pytest.raises(ValueNotSupported) as level:
        made.set_thought_level("ultra")

    assert model.value.details["offered"] == ["a"]
    assert level.value.details["offered"] == ["low", "high"]


def test_a_model_that_is_listed_beside_the_options_has_a_request_of_its_own() -> None:
    models = {"currentModelId": "a", "availableModels": [{"modelId": "a"}, {"modelId": "b"}]}
    made = ConfigOptions().after_session({"models": models})

    setting = made.set_model("b")

    assert setting == Setting("session/set_model", {"modelId": "b"}, {"modelId": "b"})
    assert made.after_answer(setting.method, setting.annotations, {}).model == "b"
    with pytest.raises(ValueNotSupported, match="a, b"):
        made.set_model("c")


def test_an_answer_without_the_options_says_that_the_one_was_set() -> None:
    made = ConfigOptions().after_session({"configOptions": OPTIONS})
    setting = made.set_thought_level("high")

    after = made.after_answer(setting.method, setting.annotations, {})

    assert (made.thought_level, after.thought_level) == ("low", "high")
    assert [option["id"] for option in after.options] == ["model", "effort"]


def test_an_answer_with_the_options_says_all_that_the_setting_changed() -> None:
    made = ConfigOptions().after_session({"configOptions": OPTIONS})
    setting = made.set_option("model", "a")

    after = made.after_answer(setting.method, setting.annotations, {"configOptions": OPTIONS[:1]})

    assert (after.model, after.thought_level, after.thought_levels) == ("a", None, [])


def test_the_answer_to_an_opening_is_read_as_one() -> None:
    session = {"sessionId": "s", "configOptions": OPTIONS}

    assert ConfigOptions().after_answer("session/load", None, session).model == "a"


@pytest.mark.parametrize(
    "update",
    [
        None,
        "x",
        {"sessionUpdate": "agent_message_chunk", "content": {}},
        {"sessionUpdate": "current_mode_update"},
        {"sessionUpdate": "config_option_update", "configOptions": "x"},
        {"sessionUpdate": "current_mode_update", "currentModeId": "default"},
    ],
)
def test_what_says_nothing_new_leaves_the_very_same(update: Any) -> None:
    made = opened("default", "plan", native=CLAUDE)

    assert made.after_update({"params": {"update": update}}) is made
    assert made.after_update({"params": update}) is made
    assert made.after_session("x") is made
    assert made.after_answer("session/prompt", None, {"stopReason": "end_turn"}) is made
    assert made.with_permission_mode("ask") is made


def test_an_agent_may_say_that_its_session_has_another_id() -> None:
    def frame(meta: Any) -> dict[str, Any]:
        return {"params": {"update": {"sessionUpdate": "session_info_update", "_meta": meta}}}

    assert agent_session_id_of(frame({"agentSessionId": "s2"})) == "s2"
    assert agent_session_id_of(frame({"agentSessionId": 2})) is None
    assert agent_session_id_of(frame("x")) is None
    assert agent_session_id_of(now_in("plan")) is None


@pytest.mark.parametrize("takes_any", [True, False])
def test_a_model_that_is_not_listed_is_set_where_the_agent_takes_any(takes_any: bool) -> None:
    option = {"id": "model", "category": "model", "type": "select", "currentValue": "a",
              "options": [{"value": "a", "name": "A"}], "_meta": {"sandbox_agent": {"takesAny": takes_any}}}  # fmt: skip
    made = ConfigOptions().after_session({"sessionId": "s", "configOptions": [option]})
    if takes_any:
        assert made.set_model("gateway/b").params == {"configId": "model", "value": "gateway/b"}
    for wrong in ("", *(() if takes_any else ("gateway/b",))):
        with pytest.raises(ValueNotSupported):
            made.set_model(wrong)
