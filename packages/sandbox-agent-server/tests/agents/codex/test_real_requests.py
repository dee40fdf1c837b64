"""What the real Codex asks, and what it makes of the answers. The model is scripted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.adapter_driver import StartAdapter, leave_open, option

pytestmark = pytest.mark.real_agent

SHOUT = {
    "name": "shout",
    "command": sys.executable,
    "args": [str(Path(__file__).parents[1] / "claude" / "support" / "mcp_shout.py")],
    "env": [],
}


async def test_a_command_is_asked_for_and_runs_when_it_is_allowed(
    start_codex: StartAdapter, cwd: Path
) -> None:
    codex = await start_codex()
    await codex.open()

    await codex.prompt("SCENARIO:tool SHELL<<touch made>>")

    asked = codex.asked()[0]["params"]
    assert asked["toolCall"]["rawInput"] == {"command": "touch made", "cwd": str(cwd)}
    assert asked["toolCall"]["kind"] == "execute"
    kinds = [choice["kind"] for choice in asked["options"]]
    assert kinds == ["allow_once", "allow_always", "reject_once"]
    assert (cwd / "made").exists()
    assert codex.last_tool()["status"] == "completed"


async def test_a_rejected_command_does_not_run_and_the_turn_goes_on(
    start_codex: StartAdapter, cwd: Path
) -> None:
    codex = await start_codex()
    codex.answer = option("reject_once")
    await codex.open()

    answer = await codex.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert answer["result"]["stopReason"] == "end_turn"
    assert codex.last_tool()["status"] == "failed"
    assert "Done." in codex.text()
    assert not (cwd / "made").exists()


async def test_always_is_for_the_session_and_writes_no_rule(
    start_codex: StartAdapter, home: Path
) -> None:
    codex = await start_codex()
    codex.answer = option("allow_always")
    await codex.open()

    await codex.prompt("SCENARIO:tool SHELL<<touch made>>")
    await codex.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert len(codex.asked()) == 1
    rules = home / ".codex" / "rules"
    assert not any("touch" in path.read_text(encoding="utf-8") for path in rules.rglob("*.rules"))


@pytest.mark.parametrize(("kind", "is_written"), [("allow_once", True), ("reject_once", False)])
async def test_a_file_change_is_asked_for_with_its_diff(
    start_codex: StartAdapter, cwd: Path, kind: str, is_written: bool
) -> None:
    codex = await start_codex()
    codex.answer = option(kind)
    await codex.open()
    await codex.set("session/set_config_option", configId="model", value="gpt-5.5")

    await codex.prompt("SCENARIO:write-file")

    call = codex.asked()[0]["params"]["toolCall"]
    assert call["kind"] == "edit"
    assert call["content"][0]["newText"] == "hello scripted file\n"
    assert call["locations"] == [{"path": str(cwd / "scenario.txt")}]
    assert (cwd / "scenario.txt").exists() is is_written
    assert codex.last_tool()["status"] == ("completed" if is_written else "failed")


async def test_auto_asks_for_what_leaves_the_sandbox(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    codex.answer = option("reject_once")
    await codex.open()
    await codex.set("session/set_mode", modeId="auto")

    await codex.prompt("SCENARIO:tool ESCALATE SHELL<<touch made>>")

    call = codex.asked()[0]["params"]["toolCall"]
    assert "scripted escalation" in str(call["content"])


@pytest.mark.parametrize(
    ("kind", "status"), [("allow_once", "completed"), ("reject_once", "failed")]
)
async def test_an_mcp_tool_is_a_permission_of_its_call(
    start_codex: StartAdapter, kind: str, status: str
) -> None:
    codex = await start_codex()
    codex.answer = option(kind)
    await codex.open(mcpServers=[SHOUT])

    answer = await codex.prompt('SCENARIO:mcp TOOL<<__shout>> ARGS<<{"word": "hi"}>>')

    call = codex.asked()[0]["params"]["toolCall"]
    assert call["toolCallId"] == codex.last_tool()["toolCallId"]
    assert call["name"] == "mcp__shout__shout"
    assert codex.last_tool()["status"] == status
    assert answer["result"]["stopReason"] == "end_turn"


async def test_an_mcp_tool_allowed_for_the_session_is_not_asked_for_again(
    start_codex: StartAdapter,
) -> None:
    codex = await start_codex()
    codex.answer = option("allow_always")
    await codex.open(mcpServers=[SHOUT])

    for _ in range(2):
        await codex.prompt('SCENARIO:mcp TOOL<<__shout>> ARGS<<{"word": "hi"}>>')

    assert len(codex.asked()) == 1


async def test_a_question_of_an_mcp_server_reaches_the_person(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    codex.answer = lambda asked: (
        {"action": "accept", "content": {"word": "banana"}}
        if asked["method"] == "elicitation/create"
        else option("allow_once")(asked)
    )
    await codex.open(mcpServers=[SHOUT])

    await codex.prompt("SCENARIO:mcp TOOL<<ask_word>>")

    asked = codex.asked("elicitation/create")[0]["params"]
    assert asked["message"] == "Which word?"
    assert list(asked["requestedSchema"]["properties"]) == ["word"]
    assert codex.last_tool()["content"][0]["content"]["text"] == "You said banana"


async def test_codex_asks_questions_in_plan_mode(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    codex.answer = lambda _: {"action": "accept", "content": {"colour": "Blue"}}
    await codex.open()
    await codex.set("session/set_mode", modeId="plan")

    await codex.prompt("SCENARIO:ask")

    question = codex.asked("elicitation/create")[0]["params"]["_meta"]["questions"][0]
    assert question["question"] == "Which colour?"
    assert [choice["label"] for choice in question["options"]] == ["Red", "Blue"]
    assert '{"answers":["Blue"]}' in codex.text()


async def test_a_question_that_nobody_answers_ends_with_the_turn(
    start_codex: StartAdapter,
) -> None:
    codex = await start_codex()
    codex.answer = leave_open
    await codex.open()
    await codex.set("session/set_mode", modeId="plan")
    prompt = await codex.start_prompt("SCENARIO:ask")
    asked = await codex.wait_for_method("elicitation/create")

    await codex.cancel()

    answer = await codex.wait_for_prompt(prompt)
    assert answer["result"]["stopReason"] == "cancelled"
    withdrawn = await codex.wait_for_method("$/cancel_request")
    assert withdrawn["params"] == {"requestId": asked["id"]}
