"""What a turn of the real Codex looks like to an ACP client. The model is scripted."""

from __future__ import annotations

import sys
from base64 import b64decode
from pathlib import Path

import pytest
from support.adapter_driver import StartAdapter
from support.scripted_llm import ScriptedLLM

pytestmark = pytest.mark.real_agent

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


async def test_text_comes_in_chunks_of_one_message_and_once(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()

    answer = await codex.prompt("SCENARIO:text")

    chunks = codex.updates("agent_message_chunk")
    assert codex.text() == "Hello from the scripted model."
    assert len(chunks) == 5
    assert len({chunk["messageId"] for chunk in chunks}) == 1
    assert answer["result"]["stopReason"] == "end_turn"


async def test_usage_is_of_the_turn_and_told_before_its_answer(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()

    await codex.prompt("SCENARIO:text")
    codex.forget()
    answer = await codex.prompt("SCENARIO:tool SHELL<<true>>")

    assert answer["result"]["usage"] == {
        "inputTokens": 200,
        "outputTokens": 40,
        "cachedReadTokens": 0,
        "cachedWriteTokens": 0,
        "thoughtTokens": 0,
        "totalTokens": 240,
    }
    told = codex.updates("usage_update")[-1]
    assert told["used"] == 120
    assert told["size"] > 100_000
    assert codex.frames[-1] is answer


async def test_reasoning_is_told_apart_from_text(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()

    await codex.prompt("SCENARIO:think")

    assert codex.text("agent_thought_chunk") == "Let me think about it."
    assert len(codex.updates("agent_thought_chunk")) == 3
    assert codex.text() == "Thought done."


async def test_a_huge_answer_arrives_whole(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()

    await codex.prompt("SCENARIO:huge")

    lines = codex.text().splitlines(keepends=True)
    assert len(set(lines)) == 200, "no line is told twice"
    assert {len(line) for line in lines} == {1024}


async def test_a_command_has_its_title_output_and_exit_code(
    start_codex: StartAdapter, cwd: Path
) -> None:
    codex = await start_codex()
    await codex.open()
    command = "echo out; sleep 0.5; echo err >&2; exit 3"

    await codex.prompt(f"SCENARIO:tool SHELL<<{command}>>")

    call = codex.last_tool()
    assert (call["kind"], call["title"], call["status"]) == ("execute", command, "failed")
    assert call["rawInput"] == {"command": command, "cwd": str(cwd)}
    assert call["rawOutput"]["exitCode"] == 3
    assert call["rawOutput"]["stdout"] == "out\nerr\n"
    assert call["content"][0]["content"]["text"] == "out\nerr\n"


async def test_the_output_of_a_command_streams(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()

    await codex.prompt("SCENARIO:tool SHELL<<for i in 1 2 3 4; do echo $i; sleep 0.3; done>>")

    deltas = [
        update["_meta"]["terminal_output_delta"]["data"]
        for update in codex.updates("tool_call_update")
        if "terminal_output_delta" in update.get("_meta", {})
    ]
    assert deltas
    assert "1\n2\n3\n4\n".endswith("".join(deltas))


async def test_a_written_file_is_a_diff_and_so_is_an_edit(
    start_codex: StartAdapter, cwd: Path
) -> None:
    codex = await start_codex()
    await codex.open()
    await codex.set("session/set_config_option", configId="model", value="gpt-5.5")
    path = str(cwd / "scenario.txt")

    await codex.prompt("SCENARIO:write-file")
    written = codex.last_tool()
    await codex.prompt("SCENARIO:edit-file")
    edited = codex.last_tool()

    assert (cwd / "scenario.txt").read_text(encoding="utf-8") == "goodbye scripted file\n"
    assert (written["kind"], written["title"]) == ("edit", "Edit scenario.txt")
    assert written["content"] == [
        {"type": "diff", "path": path, "newText": "hello scripted file\n"}
    ]
    assert edited["content"] == [
        {
            "type": "diff",
            "path": path,
            "oldText": "hello scripted file\n",
            "newText": "goodbye scripted file\n",
            "_meta": {"sandbox_agent": {"isWholeFile": False, "startLine": 1, "newStartLine": 1}},
        }
    ]
    assert edited["locations"] == [{"path": path, "line": 1}]
    diffs = [frame["params"] for frame in codex.asked("_codex/turn/diff/updated")]
    assert "+goodbye scripted file" in diffs[-1]["message"]["params"]["diff"]


async def test_a_web_search_is_a_tool_call(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()

    await codex.prompt("SCENARIO:web-search")

    call = codex.last_tool()
    assert (call["kind"], call["status"]) == ("search", "completed")
    assert call["title"] == "Search the web: scripted search"


async def test_a_tool_of_the_sessions_mcp_server_is_called(
    start_codex: StartAdapter, home: Path
) -> None:
    codex = await start_codex()
    script = Path(__file__).parents[1] / "claude" / "support" / "mcp_shout.py"
    server = {
        "name": "shout.er",
        "command": sys.executable,
        "args": [str(script)],
        "env": [{"name": "SHOUT_SUFFIX", "value": "!secret!"}],
    }
    await codex.open(mcpServers=[server])

    await codex.prompt('SCENARIO:mcp TOOL<<__shout>> ARGS<<{"word": "hi"}>>')

    call = codex.last_tool()
    assert call["name"] == "mcp__shout_er__shout"
    assert call["rawInput"] == {"word": "hi"}
    assert call["content"][0]["content"]["text"] == "HI!secret!"
    told = [path.read_bytes() for path in home.rglob("*.toml")]
    assert not any(b"secret" in text for text in told)


async def test_an_image_reaches_the_model(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()

    image = {"type": "image", "mimeType": "image/png", "data": PIXEL}
    await codex.prompt("SCENARIO:image", image)

    assert codex.text() == "I see 1 image(s): image/png"


async def test_an_image_of_the_workspace_reaches_the_model(
    start_codex: StartAdapter, cwd: Path
) -> None:
    codex = await start_codex()
    await codex.open()
    (cwd / "a pixel.png").write_bytes(b64decode(PIXEL))

    image = {"type": "image", "uri": (cwd / "a pixel.png").as_uri()}
    await codex.prompt("SCENARIO:image", image)

    assert codex.text() == "I see 1 image(s): image/png"


async def test_a_prompt_that_codex_cannot_take_is_refused(start_codex: StartAdapter) -> None:
    codex = await start_codex()
    await codex.open()

    answer = await codex.prompt({"type": "audio", "data": "AA==", "mimeType": "audio/wav"})

    assert answer["error"]["code"] == -32602


async def test_what_a_sub_agent_says_and_does_hangs_on_the_call_that_started_it(
    start_codex: StartAdapter,
) -> None:
    codex = await start_codex()
    await codex.open()

    answer = await codex.prompt("SCENARIO:subagent SUBAGENT<<tool>> SHELL<<touch sub>>")

    started, waited = (
        codex.tool(update["toolCallId"])
        for update in codex.updates("tool_call")
        if update["kind"] == "think"
    )
    assert (started["name"], waited["name"]) == ("spawnAgent", "wait")
    parent = started["toolCallId"]
    assert "I will use a tool." in codex.text(parent=parent)
    assert codex.text("user_message_chunk", parent=parent).startswith("SCENARIO:tool")
    command = next(
        update for update in codex.updates("tool_call") if update["title"] == "touch sub"
    )
    assert command["_meta"]["parentToolCallId"] == parent
    asked = codex.asked()[0]["params"]["toolCall"]
    assert asked["_meta"]["parentToolCallId"] == parent
    assert answer["result"]["stopReason"] == "end_turn"


async def test_the_system_prompt_is_added(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    codex = await start_codex()
    await codex.open(_meta={"systemPrompt": {"append": "Always answer in rhymes."}})

    await codex.prompt("SCENARIO:text")

    assert "Always answer in rhymes." in str(scripted_llm.requests[-1].body["input"])


async def test_the_newest_models_whose_one_tool_runs_javascript_look_the_same(
    start_codex: StartAdapter, cwd: Path
) -> None:
    codex = await start_codex()
    await codex.open()
    await codex.set("session/set_config_option", configId="model", value="gpt-6.1-sol")

    await codex.prompt("SCENARIO:tool SHELL<<touch made>>")
    command = codex.last_tool()
    await codex.prompt("SCENARIO:subagent")

    assert (command["kind"], command["title"], command["status"]) == (
        "execute",
        "touch made",
        "completed",
    )
    assert len(codex.asked()) == 1
    assert (cwd / "made").exists()
    started = next(
        update
        for update in codex.updates("tool_call")
        if "agentThreadId" in update.get("rawInput", {})
    )
    assert codex.text(parent=started["toolCallId"])
