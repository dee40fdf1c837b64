"""What the real Claude Code asks a person, and what the answers do. The model is scripted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from claude_driver import Answer, StartClaude, leave_open, option
from support.scripted_llm import ScriptedLLM

pytestmark = pytest.mark.real_agent


def kinds(asked: dict) -> list[str]:
    return [item["kind"] for item in asked["params"]["options"]]


def files_in(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


async def test_an_allowed_command_runs(start_claude: StartClaude, cwd: Path) -> None:
    claude = await start_claude()
    await claude.open()

    await claude.prompt("SCENARIO:tool SHELL<<touch made>>")

    (asked,) = claude.asked()
    call = asked["params"]["toolCall"]
    statuses = [
        update["status"]
        for update in claude.updates()
        if update.get("toolCallId") == call["toolCallId"]
    ]
    assert (cwd / "made").exists()
    assert (call["title"], call["kind"], call["rawInput"]["command"]) == (
        "touch made",
        "execute",
        "touch made",
    )
    assert statuses == ["pending", "in_progress", "completed"]


async def test_a_rejected_command_does_not_run_and_the_turn_goes_on(
    start_claude: StartClaude, cwd: Path
) -> None:
    claude = await start_claude()
    claude.answer = option("reject_once")
    await claude.open()

    answer = await claude.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert not (cwd / "made").exists()
    assert claude.last_tool()["status"] == "failed"
    assert "rejected" in claude.text()
    assert answer["result"]["stopReason"] == "end_turn"
    assert answer["result"]["_meta"]["permissionDenials"][0]["tool_name"] == "Bash"


def answered(kind: str, **said: Any) -> Answer:
    """An option of a kind, with more that whoever answers says."""
    choose = option(kind)
    return lambda frame: {**(choose(frame) or {}), "_meta": {"sandbox_agent": said}}


async def test_the_input_may_be_changed_by_whoever_allows_it(
    start_claude: StartClaude, cwd: Path
) -> None:
    claude = await start_claude()
    claude.answer = answered("allow_once", updatedInput={"command": "touch other"})
    await claude.open()

    await claude.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert files_in(cwd) == ["other"]
    ran = claude.last_tool()
    assert (ran["title"], ran["rawInput"]) == ("touch other", {"command": "touch other"})


async def test_a_refusal_says_why_to_the_model(
    start_claude: StartClaude, scripted_llm: ScriptedLLM
) -> None:
    claude = await start_claude()
    claude.answer = answered("reject_once", message="use the other directory")
    await claude.open()

    answer = await claude.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert answer["result"]["stopReason"] == "end_turn"
    assert "use the other directory" in str(scripted_llm.requests[-1].body["messages"][-1])


async def test_a_refusal_may_end_the_turn(start_claude: StartClaude) -> None:
    claude = await start_claude()
    claude.answer = answered("reject_once", onReject="stop")
    await claude.open()

    answer = await claude.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert answer["result"]["stopReason"] == "cancelled"
    assert claude.last_tool()["status"] == "failed"
    assert (await claude.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


async def test_always_asks_no_second_time_and_writes_no_settings(
    start_claude: StartClaude, cwd: Path, home: Path
) -> None:
    claude = await start_claude()
    claude.answer = option("allow_always")
    await claude.open()

    await claude.prompt("SCENARIO:tool SHELL<<touch made>>")
    await claude.prompt("SCENARIO:tool SHELL<<touch made>>")
    assert len(claude.asked()) == 1

    await claude.prompt("SCENARIO:tool SHELL<<mkdir other>>")
    assert len(claude.asked()) == 2, "a rule for touch is no rule for mkdir"
    assert files_in(cwd) == ["made", "other"]
    assert not [path for path in files_in(home) if "settings" in path]


async def test_accepting_all_edits_is_a_choice_of_its_own(
    start_claude: StartClaude, cwd: Path
) -> None:
    claude = await start_claude()
    await claude.open()
    claude.answer = option("allow_always")

    await claude.prompt(f"SCENARIO:write-file FILE<<{cwd}/one.txt>>")
    await claude.prompt(f"SCENARIO:write-file FILE<<{cwd}/two.txt>>")

    (asked,) = claude.asked()
    assert kinds(asked) == ["allow_once", "allow_always", "reject_once"]
    assert (cwd / "two.txt").exists()
    assert (await claude.wait_for_update("current_mode_update"))["currentModeId"] == "acceptEdits"


@pytest.mark.parametrize("chosen", ["Blue", "Mauve"])
async def test_a_question_is_answered(start_claude: StartClaude, chosen: str) -> None:
    claude = await start_claude()
    claude.answer = lambda asked: {"action": "accept", "content": {"q1": chosen}}
    await claude.open()

    await claude.prompt("SCENARIO:ask")

    (asked,) = claude.asked("elicitation/create")
    params = asked["params"]
    assert (params["mode"], params["message"]) == ("form", "Which colour?")
    assert params["_meta"]["questions"] == [
        {
            "id": "q1",
            "question": "Which colour?",
            "header": "Colour",
            "options": [
                {"label": "Red", "description": "the red one"},
                {"label": "Blue", "description": "the blue one"},
            ],
            "multiSelect": False,
        }
    ]
    assert params["_meta"]["toolCallId"] == claude.last_tool()["toolCallId"]
    assert f'"Which colour?"="{chosen}"' in claude.text()


async def test_a_declined_question_lets_the_turn_go_on(start_claude: StartClaude) -> None:
    claude = await start_claude()
    claude.answer = lambda asked: {"action": "decline"}
    await claude.open()

    answer = await claude.prompt("SCENARIO:ask")

    assert "declined" in claude.text()
    assert answer["result"]["stopReason"] == "end_turn"


async def test_a_cancelled_request_ends_the_turn(start_claude: StartClaude, cwd: Path) -> None:
    claude = await start_claude()
    claude.answer = lambda asked: {"outcome": {"outcome": "cancelled"}}
    await claude.open()

    answer = await claude.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert answer["result"]["stopReason"] == "cancelled"
    assert not (cwd / "made").exists()
    claude.answer = option("allow_once")
    assert (await claude.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"


async def test_a_second_answer_to_a_request_does_nothing(start_claude: StartClaude) -> None:
    claude = await start_claude()
    claude.answer = leave_open
    await claude.open()
    id = await claude.start_prompt("SCENARIO:tool SHELL<<touch made>>")
    asked = await claude.wait_for_method("session/request_permission")

    for chosen in ("allow_once", "reject_once"):
        await claude.respond(asked, {"outcome": {"outcome": "selected", "optionId": chosen}})

    await claude.wait_for_prompt(id)
    assert claude.last_tool()["status"] == "completed"
    assert (await claude.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"
