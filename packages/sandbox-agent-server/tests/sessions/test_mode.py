"""The mode of a session: one that asks unless a person says otherwise, and none that the agent gives itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from house import House
from sandbox_agent_core.api.requests import AnswerRequest
from sandbox_agent_core.api.sessions import PatchSession
from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_server.sessions.mode import MAX_SET_BACK
from support.scripted_adapter import says
from talk import permission, settled, until

GEMINI = {
    "ask": "default",
    "accept-edits": "autoEdit",
    "plan": "plan",
    "read-only": "plan",
    "bypass": "yolo",
}
MakeHouse = Callable[..., Any]


def modes(current: str, *offered: str) -> dict[str, Any]:
    available = [{"id": mode, "name": mode} for mode in offered or GEMINI.values()]
    return {"sessionId": "s1", "modes": {"currentModeId": current, "availableModes": available}}


def now_in(mode: str) -> dict[str, Any]:
    update = {"sessionUpdate": "current_mode_update", "currentModeId": mode}
    return notification(acp.SESSION_UPDATE, {"sessionId": "s1", "update": update})


@pytest.fixture
async def make_house(tmp_path: Path) -> AsyncIterator[MakeHouse]:
    made: list[House] = []

    async def make(
        opened: dict[str, Any], native: dict[str, str] | None = None, **answers: Any
    ) -> House:
        house = House(tmp_path)
        house.acme.permission_modes = GEMINI if native is None else native
        house.answers |= {acp.SESSION_NEW: opened, acp.SESSION_SET_MODE: {}, **answers}
        made.append(house)
        await house.open()
        return house

    yield make
    for house in made:
        await house.close()


def set_modes(house: House) -> list[str]:
    """What the agent was set to."""
    return [
        one["params"]["modeId"]
        for one in house.agent.sent
        if one.get("method") == acp.SESSION_SET_MODE
    ]


def changes(house: House) -> list[dict[str, Any]]:
    method = "_sandbox_agent/permission_mode.changed"
    return [one.payload["params"] for one in house.entries() if one.method == method]


def mode_of(house: House) -> str | None:
    live = house.live()
    assert live is not None
    mode: str | None = live.state.options.permission_mode
    return mode


async def test_without_a_mode_it_is_put_into_the_one_that_asks(make_house: MakeHouse) -> None:
    house = await make_house(modes("auto", "default", "auto", "yolo"))
    info = await house.create()

    assert (info.permission_mode, info.mode) == ("ask", "default")
    assert set_modes(house) == ["default"]
    (change,) = changes(house)
    assert (change["permissionMode"], change["modeId"], change["by"]) == (
        "ask",
        "default",
        "server",
    )
    assert "auto" in change["reason"]


@pytest.mark.parametrize("opened", [modes("default"), {"sessionId": "s1"}])
async def test_an_agent_that_asks_already_is_told_nothing(
    make_house: MakeHouse, opened: dict[str, Any]
) -> None:
    house = await make_house(opened)
    info = await house.create()

    assert info.permission_mode == "ask"
    assert (set_modes(house), changes(house)) == ([], [])


async def test_an_agent_of_which_nobody_knows_whether_it_asks_says_so(
    make_house: MakeHouse,
) -> None:
    house = await make_house(modes("slow", "slow", "fast"), {})
    info = await house.create()

    assert (info.permission_mode, info.mode) == (None, "slow")
    (change,) = changes(house)
    assert (change["permissionMode"], change["by"]) == (None, "server")


@pytest.mark.parametrize("chosen", [None, "read-only", "plan", "ask"])
async def test_an_agent_that_loosens_its_mode_is_put_back_and_judged_by_what_was_chosen(
    make_house: MakeHouse, chosen: str | None
) -> None:
    house = await make_house(modes("default"))
    await house.create(mode=chosen, permissionPolicy={"default": "deny"})
    before = len(changes(house))
    house.prompt()
    await until(lambda: acp.SESSION_PROMPT in house.agent.methods)
    house.agent.write(now_in("yolo"), permission(1))
    native = GEMINI[chosen or "ask"]
    await until(lambda: len(changes(house)) > before)

    assert mode_of(house) == (chosen or "ask")
    assert set_modes(house)[-1] == native
    change = changes(house)[-1]
    assert (change["permissionMode"], change["modeId"], change["by"]) == (
        chosen or "ask", native, "server",
    )  # fmt: skip
    (answer,) = [one for one in house.agent.sent if one.get("id") == 1 and "result" in one]
    assert answer["result"]["outcome"]["optionId"] == "r1"


async def test_an_agent_that_tightens_its_mode_is_followed_there_and_back(
    make_house: MakeHouse,
) -> None:
    house = await make_house(modes("default"))
    await house.create()
    for native, expected in (("plan", "plan"), ("default", "ask")):
        house.agent.write(now_in(native))
        await settled()
        assert mode_of(house) == expected
        assert changes(house)[-1] == {"permissionMode": expected, "modeId": native, "by": "agent"}
    assert set_modes(house) == []


async def test_an_agent_that_insists_is_left_there_and_judged_all_the_same(
    make_house: MakeHouse,
) -> None:
    house = await make_house(
        modes("default"),
        **{acp.SESSION_SET_MODE: lambda frame: [*says({})(frame), now_in("yolo")]},
    )
    await house.create()
    house.agent.write(now_in("yolo"))
    await until(lambda: changes(house) and "stays there" in changes(house)[-1]["reason"])
    await settled()

    assert len(set_modes(house)) == MAX_SET_BACK
    assert mode_of(house) == "ask"


async def test_what_a_person_approves_an_agent_may_go_into(make_house: MakeHouse) -> None:
    house = await make_house(modes("default"))
    await house.create(mode="plan")
    house.prompt()
    await until(lambda: acp.SESSION_PROMPT in house.agent.methods)
    house.agent.write(permission(1, kind="switch_mode"))
    live = house.live()
    assert live is not None
    await until(lambda: live.state.pending)
    live.answer(next(iter(live.state.pending)), AnswerRequest(reply="always"))
    house.agent.write(now_in("autoEdit"))
    await settled()

    assert mode_of(house) == "accept-edits"
    assert changes(house)[-1]["permissionMode"] == "accept-edits"
    assert set_modes(house) == ["plan"]


async def test_every_change_by_a_client_is_said(make_house: MakeHouse) -> None:
    """Also when the agent tells of it before it answers."""
    told = {acp.SESSION_SET_MODE: lambda f: [now_in(f["params"]["modeId"]), *says({})(f)]}
    house = await make_house(modes("default"), **told)
    await house.create()
    live = house.live()
    assert live is not None
    wanted = ["accept-edits", "read-only", "plan", "bypass", "ask"]
    for mode in wanted:
        await live.patch(PatchSession(mode=mode))
        await settled()

    assert [one["permissionMode"] for one in changes(house)] == wanted
    assert not any("by" in one for one in changes(house))
    assert mode_of(house) == "ask"


async def test_an_option_that_is_the_mode_is_a_choice_of_the_mode(make_house: MakeHouse) -> None:
    option = {"id": "mode", "category": "mode", "type": "select", "currentValue": "default"}
    option["options"] = [{"value": mode} for mode in ("default", "yolo")]  # type: ignore[assignment]
    house = await make_house(
        {"sessionId": "s1", "configOptions": [option]}, **{acp.SESSION_SET_CONFIG_OPTION: {}}
    )
    await house.create()
    live = house.live()
    assert live is not None
    await live.patch(PatchSession(config_options={"mode": "yolo"}))

    assert mode_of(house) == "bypass"
    assert changes(house)[-1] == {"permissionMode": "bypass", "modeId": "yolo"}


async def test_in_bypass_an_agent_asks_where_a_rule_denies_something(make_house: MakeHouse) -> None:
    house = await make_house(modes("default"))
    rules = [{"action": "deny", "command": "rm *"}]
    info = await house.create(mode="bypass", permissionPolicy={"rules": rules})
    assert (info.permission_mode, set_modes(house)) == ("bypass", ["default"])

    live = house.live()
    assert live is not None
    for policy in ({"rules": []}, {"rules": [{"action": "ask", "path": "*.env"}]}):
        await live.patch(PatchSession.model_validate({"permissionPolicy": policy}))
    assert set_modes(house) == ["default", "yolo", "default"]
    assert mode_of(house) == "bypass"
