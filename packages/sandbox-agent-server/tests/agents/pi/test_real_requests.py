"""What the real Pi asks: the permissions of our gate, and the dialogs of other extensions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.frames import Frame
from support.adapter_driver import AdapterDriver, StartAdapter, leave_open, option
from support.scripted_llm import ScriptedLLM

pytestmark = pytest.mark.real_agent

ASKING = """
export default function (pi: any) {
  pi.registerCommand("ask", {
    description: "Asks everything",
    handler: async (_args: string, ctx: any) => {
      const said = {
        select: await ctx.ui.select("Which colour?", ["Red", "Blue"]),
        confirm: await ctx.ui.confirm("Sure?", "It cannot be undone."),
        input: await ctx.ui.input("Your name", "a name"),
        editor: await ctx.ui.editor("Edit this", "a draft"),
      };
      ctx.ui.notify(JSON.stringify(said), "info");
    },
  });
  pi.registerTool({
    name: "greet",
    label: "Greet",
    description: "Greets",
    parameters: { type: "object", properties: {}, required: [] },
    execute: async () => ({ content: [{ type: "text", text: "hello" }], details: {} }),
  });
}
"""


@pytest.fixture
def asking_extension(home: Path) -> None:
    """An extension of the user's own."""
    folder = home / ".pi" / "agent" / "extensions"
    folder.mkdir(parents=True)
    (folder / "asking.ts").write_text(ASKING, encoding="utf-8")


async def test_a_permission_says_what_it_is_about(start_pi: StartAdapter, cwd: Path) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:tool SHELL<<touch made>>")

    [asked] = pi.asked()
    call = pi.updates("tool_call")[0]
    assert asked["params"]["toolCall"] == {
        "toolCallId": call["toolCallId"],
        "name": "bash",
        "status": "pending",
        "title": "touch made",
        "kind": "execute",
        "rawInput": {"command": "touch made"},
    }
    assert [(item["kind"], item["name"]) for item in asked["params"]["options"]] == [
        ("allow_once", "Allow once"),
        ("allow_always", "Always allow `touch made` in this session"),
        ("reject_once", "Reject"),
    ]
    assert (cwd / "made").exists()


async def test_a_call_is_pending_until_it_is_allowed(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:tool SHELL<<touch made>>")

    told = [
        frame["params"]["update"].get("status") or "asked"
        for frame in pi.frames
        if "tool_call" in str(frame.get("params", {}).get("update", {}).get("sessionUpdate"))
        and "status" in frame["params"]["update"]
    ]
    assert told == ["pending", "in_progress", "completed"]


async def test_a_rejected_call_does_not_run_and_the_model_is_told(
    start_pi: StartAdapter, cwd: Path
) -> None:
    pi = await start_pi()
    pi.answer = option("reject_once")
    await pi.open()

    answer = await pi.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert not (cwd / "made").exists()
    assert pi.last_tool()["status"] == "failed"
    assert "rawOutput" not in pi.last_tool(), "the words to the model are no output"
    assert "The user rejected this tool call" in pi.text()
    assert answer["result"]["stopReason"] == "end_turn"


async def test_always_covers_the_same_command_for_the_session(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    pi.answer = option("allow_always")
    await pi.open()

    await pi.prompt("SCENARIO:tool SHELL<<touch made>>")
    await pi.prompt("SCENARIO:tool SHELL<<touch made>>")
    assert len(pi.asked()) == 1

    await pi.prompt("SCENARIO:tool SHELL<<touch other>>")
    assert len(pi.asked()) == 2


async def test_read_only_asks_about_what_was_allowed_for_good(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    pi.answer = option("allow_always")
    opened = await pi.open()
    assert opened["modes"]["currentModeId"] == "ask"
    await pi.prompt("SCENARIO:tool SHELL<<touch made>>")

    await pi.set("session/set_mode", modeId="read-only")
    await pi.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert len(pi.asked()) == 2
    assert (await pi.set("session/set_mode", modeId="yolo"))["error"]["code"] == -32602


async def test_always_for_an_edit_covers_all_edits(start_pi: StartAdapter, cwd: Path) -> None:
    pi = await start_pi()
    pi.answer = option("allow_always")
    await pi.open()

    await pi.prompt("SCENARIO:write-file FILE<<scenario.txt>>")
    await pi.prompt("SCENARIO:edit-file FILE<<scenario.txt>>")

    assert [asked["params"]["options"][1]["name"] for asked in pi.asked()] == [
        "Accept all edits in this session"
    ]
    assert (cwd / "scenario.txt").read_text(encoding="utf-8") == "goodbye scripted file\n"


@pytest.mark.usefixtures("asking_extension")
async def test_a_tool_of_an_extension_is_asked_about(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:mcp TOOL<<greet>>")

    [asked] = pi.asked()
    assert asked["params"]["toolCall"]["name"] == "greet"
    assert asked["params"]["toolCall"]["kind"] == "other"
    assert pi.last_tool()["rawOutput"] == "hello"


async def test_a_request_given_up_by_the_client_stops_the_turn(
    start_pi: StartAdapter, cwd: Path
) -> None:
    pi = await start_pi()
    pi.answer = lambda _asked: {"outcome": {"outcome": "cancelled"}}
    await pi.open()

    answer = await pi.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert answer["result"]["stopReason"] == "cancelled"
    assert not (cwd / "made").exists()


def answers(asked: Frame) -> dict[str, Any]:
    values = {"select": "Blue", "confirm": "Yes", "input": "Ada", "editor": "the text"}
    method = asked["params"]["_meta"]["pi"]["method"]
    return {"action": "accept", "content": {"answer": values[method]}}


def said(pi: AdapterDriver) -> Any:
    [notice] = [frame for frame in pi.frames if frame.get("method") == "_pi/notify"]
    return notice["params"]["message"]["message"]


@pytest.mark.usefixtures("asking_extension")
async def test_dialogs_of_an_extension_are_questions(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    pi.answer = answers
    await pi.open()

    answer = await pi.prompt("/ask")

    assert answer["result"]["stopReason"] == "end_turn"
    assert said(pi) == '{"select":"Blue","confirm":true,"input":"Ada","editor":"the text"}'
    asked = [frame["params"] for frame in pi.asked("elicitation/create")]
    assert [params["message"] for params in asked] == [
        "Which colour?",
        "Sure?\nIt cannot be undone.",
        "Your name",
        "Edit this",
    ]
    assert asked[0]["requestedSchema"]["properties"]["answer"]["enum"] == ["Red", "Blue"]
    assert asked[3]["requestedSchema"]["properties"]["answer"]["default"] == "a draft"


@pytest.mark.usefixtures("asking_extension")
async def test_declined_dialogs_tell_the_extension_so(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    pi.answer = lambda _asked: {"action": "decline"}
    await pi.open()

    await pi.prompt("/ask")

    assert said(pi) == '{"confirm":false}'


@pytest.mark.usefixtures("asking_extension")
async def test_cancel_closes_a_question_and_pi_goes_on(
    start_pi: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    pi = await start_pi()
    pi.answer = leave_open
    await pi.open()
    prompt = await pi.start_prompt("/ask")
    first = await pi.wait_for_method("elicitation/create")

    await pi.cancel()

    # Each of the four is asked in turn: the extension itself goes on after a cancelled dialog.
    await pi.wait_for(lambda frame: frame.get("params") == {"requestId": first["id"]})
    for count in (2, 3, 4):
        await pi.wait_for(lambda _frame, n=count: len(pi.asked("elicitation/create")) >= n)  # type: ignore[misc]
        await pi.cancel()
    answer = await pi.wait_for_prompt(prompt)
    assert answer["result"]["stopReason"] == "cancelled"
    assert (await pi.prompt("SCENARIO:text"))["result"]["stopReason"] == "end_turn"
