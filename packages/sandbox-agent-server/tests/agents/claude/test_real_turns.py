"""What a turn of the real Claude Code looks like to an ACP client. The model is scripted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from claude_driver import StartClaude
from support.scripted_llm import ScriptedLLM
from support.scripted_llm.scenarios import HUGE_TEXT

pytestmark = pytest.mark.real_agent

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
MCP_SERVER = Path(__file__).parent / "support" / "mcp_shout.py"


async def test_text_comes_in_chunks_of_one_message_and_once(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    answer = await claude.prompt("SCENARIO:text")

    chunks = claude.updates("agent_message_chunk")
    assert claude.text() == "Hello from the scripted model."
    assert len(chunks) == 5
    assert len({chunk["messageId"] for chunk in chunks}) == 1
    assert answer["result"]["stopReason"] == "end_turn"
    assert answer["result"]["usage"] == {
        "inputTokens": 100,
        "outputTokens": 20,
        "cachedReadTokens": 0,
        "cachedWriteTokens": 0,
        "totalTokens": 120,
    }


async def test_nothing_of_a_turn_comes_after_its_answer(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    await claude.prompt("SCENARIO:tool")

    assert "result" in claude.frames[-1]
    usage = claude.updates("usage_update")
    assert usage == [
        {
            "sessionUpdate": "usage_update",
            "used": 120,
            "size": 1_000_000,
            "cost": {"amount": 0.0016, "currency": "USD"},
            "_meta": {"model": "claude-opus-5-5"},
        }
    ]


async def test_thinking_is_told_apart_from_text(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    await claude.prompt("SCENARIO:think")

    assert claude.text("agent_thought_chunk") == "Let me think about it."
    assert claude.text() == "Thought done."


async def test_a_huge_answer_arrives_whole(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    await claude.prompt("SCENARIO:huge")

    assert claude.text() == HUGE_TEXT


async def test_a_command_has_its_title_output_and_exit_code(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    await claude.prompt("SCENARIO:tool SHELL<<echo out; echo err >&2>>")

    call = claude.last_tool()
    assert (call["title"], call["kind"], call["name"]) == (
        "echo out; echo err >&2",
        "execute",
        "Bash",
    )
    assert call["status"] == "completed"
    assert call["rawOutput"]["stdout"] == "out\nerr"
    assert call["rawOutput"]["exitCode"] == 0


async def test_a_command_that_fails_has_its_exit_code(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    await claude.prompt("SCENARIO:tool SHELL<<echo oops >&2; exit 3>>")

    call = claude.last_tool()
    assert call["status"] == "failed"
    assert call["rawOutput"]["exitCode"] == 3
    assert "oops" in call["rawOutput"]["stdout"]


async def test_two_calls_of_one_answer_each_get_their_own_result(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    await claude.prompt("SCENARIO:tool2 SHELL<<touch one>>")

    calls = [claude.tool(call["toolCallId"]) for call in claude.updates("tool_call")]
    assert [call["title"] for call in calls] == ["touch one", "echo second-call"]
    assert [call["status"] for call in calls] == ["completed", "completed"]
    assert calls[1]["rawOutput"]["stdout"] == "second-call"


async def test_an_edit_shows_what_changed(start_claude: StartClaude, cwd: Path) -> None:
    path = cwd / "scenario.txt"
    path.write_text("first\nhello\nlast\n", encoding="utf-8")
    claude = await start_claude()
    await claude.open()

    await claude.prompt(f"SCENARIO:read-file FILE<<{path}>>")
    await claude.prompt(f"SCENARIO:edit-file FILE<<{path}>>")

    call = claude.last_tool()
    assert path.read_text(encoding="utf-8") == "first\ngoodbye\nlast\n"
    assert (call["kind"], call["title"]) == ("edit", "Edit scenario.txt")
    assert call["locations"] == [{"path": str(path)}]
    assert call["content"] == [
        {
            "type": "diff",
            "path": str(path),
            "oldText": "first\nhello\nlast\n",
            "newText": "first\ngoodbye\nlast\n",
            "_meta": {"sandbox_agent": {"isWholeFile": False, "startLine": 1, "newStartLine": 1}},
        }
    ]
    asked = claude.asked()[-1]["params"]["toolCall"]
    (change,) = asked["content"]
    assert (change["oldText"], change["newText"]) == ("hello", "goodbye")
    assert change["_meta"] == {"sandbox_agent": {"isWholeFile": False}}, "a piece of it"


async def test_a_new_file_is_a_diff_from_nothing(start_claude: StartClaude, cwd: Path) -> None:
    path = cwd / "scenario.txt"
    claude = await start_claude()
    await claude.open()

    await claude.prompt(f"SCENARIO:write-file FILE<<{path}>>")

    written = path.read_text(encoding="utf-8")
    assert claude.last_tool()["content"] == [
        {"type": "diff", "path": str(path), "oldText": None, "newText": written}
    ]


async def test_an_image_of_a_prompt_reaches_the_model(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    image = {"type": "image", "mimeType": "image/png", "data": PIXEL}
    await claude.prompt("SCENARIO:image", image)

    assert claude.text() == "I see 1 image(s): image/png"


async def test_an_embedded_file_reaches_the_model(
    start_claude: StartClaude, scripted_llm: ScriptedLLM
) -> None:
    claude = await start_claude()
    await claude.open()

    resource = {
        "uri": "file:///notes.txt",
        "mimeType": "text/plain",
        "text": "the password is fish",
    }
    await claude.prompt("SCENARIO:text", {"type": "resource", "resource": resource})

    assert "the password is fish" in str(scripted_llm.requests[-1].body["messages"])


async def test_an_mcp_server_of_the_session_is_called(start_claude: StartClaude) -> None:
    claude = await start_claude()
    server = {
        "name": "echo",
        "command": sys.executable,
        "args": [str(MCP_SERVER)],
        "env": [{"name": "SHOUT_SUFFIX", "value": "!!"}],
    }
    await claude.open(mcpServers=[server])

    await claude.prompt('SCENARIO:mcp TOOL<<shout>> ARGS<<{"word": "hey"}>>')

    call = claude.last_tool()
    assert (call["title"], call["status"]) == ("echo: shout", "completed")
    assert call["content"] == [{"type": "content", "content": {"type": "text", "text": "HEY!!"}}]


async def test_a_question_of_an_mcp_server_reaches_the_client(start_claude: StartClaude) -> None:
    claude = await start_claude()
    server = {"name": "echo", "command": sys.executable, "args": [str(MCP_SERVER)], "env": []}
    await claude.open(mcpServers=[server])
    allow = claude.answer

    def answer(asked):
        if asked["method"] == "elicitation/create":
            return {"action": "accept", "content": {"word": "fish"}}
        return allow(asked)

    claude.answer = answer
    await claude.prompt("SCENARIO:mcp TOOL<<ask_word>> ARGS<<{}>>")

    (asked,) = claude.asked("elicitation/create")
    assert asked["params"]["message"] == "Which word?"
    assert list(asked["params"]["requestedSchema"]["properties"]) == ["word"]
    assert claude.last_tool()["content"][0]["content"]["text"] == "You said fish"


async def test_what_a_sub_agent_does_names_the_call_that_started_it(
    start_claude: StartClaude, cwd: Path
) -> None:
    claude = await start_claude()
    await claude.open()

    await claude.prompt("SCENARIO:subagent SUBAGENT<<tool SHELL<<touch sub>>")

    outer, inner = claude.updates("tool_call")[:2]
    parent = outer["toolCallId"]
    assert (outer["kind"], inner["name"]) == ("think", "Bash")
    assert inner["_meta"]["parentToolCallId"] == parent
    assert claude.tool(inner["toolCallId"])["_meta"]["parentToolCallId"] == parent
    assert claude.text(parent=parent).startswith("I will use a tool.")
    assert "SCENARIO:tool" in claude.text("user_message_chunk", parent=parent)
    assert claude.tool(parent)["status"] == "completed"
    for asked in claude.asked():
        assert asked["params"]["toolCall"]["_meta"]["parentToolCallId"] == parent


async def test_the_output_of_a_slash_command_is_told(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()

    answer = await claude.prompt("/context")

    assert "Context Usage" in claude.text()
    assert answer["result"]["stopReason"] == "end_turn"


async def test_compacting_repeats_nothing_that_was_told(start_claude: StartClaude) -> None:
    claude = await start_claude()
    await claude.open()
    await claude.prompt("SCENARIO:tool SHELL<<echo one>>")
    await claude.prompt("/context")
    claude.forget()

    await claude.prompt("/compact")

    assert claude.text() == "Compacted"
    assert [f for f in claude.frames if f.get("method") == "_claude/compact_boundary"]


async def test_a_system_prompt_is_added(
    start_claude: StartClaude, scripted_llm: ScriptedLLM
) -> None:
    claude = await start_claude()
    await claude.open(_meta={"systemPrompt": "Answer like a pirate."})

    await claude.prompt("SCENARIO:text")

    system = str(scripted_llm.requests[-1].body["system"])
    assert "Answer like a pirate." in system
    assert "Claude" in system
