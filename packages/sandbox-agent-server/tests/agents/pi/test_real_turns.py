"""What a turn of the real Pi looks like to an ACP client. The model is scripted."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox_agent_server.agents import private_file
from support.adapter_driver import StartAdapter
from support.scripted_llm import ScriptedLLM
from support.scripted_llm.scenarios import HUGE_TEXT

pytestmark = pytest.mark.real_agent

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


async def test_text_comes_in_chunks_of_one_message_and_once(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()

    answer = await pi.prompt("SCENARIO:text")

    chunks = pi.updates("agent_message_chunk")
    assert pi.text() == "Hello from the scripted model."
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


async def test_the_usage_is_told_before_the_answer_which_is_the_last_of_the_turn(
    start_pi: StartAdapter,
) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:tool")

    assert "result" in pi.frames[-1]
    assert pi.updates("usage_update") == [
        {
            "sessionUpdate": "usage_update",
            "used": 120,
            "size": 200_000,
            "cost": {"amount": 0.0012, "currency": "USD"},
            "_meta": {"model": "claude-sonnet-4-5"},
        }
    ]


async def test_thinking_is_told_apart_from_text(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:think")

    assert pi.text("agent_thought_chunk") == "Let me think about it."
    assert pi.text() == "Thought done."


async def test_a_huge_answer_arrives_whole(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:huge")

    assert pi.text() == HUGE_TEXT


async def test_a_command_has_its_title_output_and_exit_code(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:tool SHELL<<echo out; echo err >&2>>")

    call = pi.last_tool()
    assert (call["title"], call["kind"], call["name"]) == (
        "echo out; echo err >&2",
        "execute",
        "bash",
    )
    assert call["rawInput"]["command"] == "echo out; echo err >&2"
    assert call["status"] == "completed"
    assert (call["rawOutput"]["stdout"], call["rawOutput"]["exitCode"]) == ("out\nerr\n", 0)


async def test_a_command_that_fails_has_its_exit_code(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:tool SHELL<<echo oops >&2; exit 3>>")

    call = pi.last_tool()
    assert call["status"] == "failed"
    assert call["rawOutput"]["exitCode"] == 3
    assert "oops" in call["rawOutput"]["stdout"]


async def test_what_a_command_prints_is_told_while_it_runs(
    start_pi: StartAdapter, cwd: Path
) -> None:
    pi = await start_pi()
    await pi.open()
    wait = "while [ ! -e go ]; do sleep 0.02; done"

    prompt = await pi.start_prompt(f"SCENARIO:tool SHELL<<echo first; {wait}; echo second>>")
    await pi.wait_for(lambda frame: "terminal_output_delta" in str(frame))
    (cwd / "go").touch()
    await pi.wait_for_prompt(prompt)

    printed = [
        update["_meta"]["terminal_output_delta"]["data"]
        for update in pi.updates("tool_call_update")
        if "_meta" in update
    ]
    assert "".join(printed) == "first\nsecond\n"
    assert printed[0] == "first\n"


async def test_two_calls_of_one_answer_each_get_their_own_result(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:tool2 SHELL<<touch one>>")

    calls = [pi.tool(call["toolCallId"]) for call in pi.updates("tool_call")]
    assert [call["title"] for call in calls] == ["touch one", "echo second-call"]
    assert [call["status"] for call in calls] == ["completed", "completed"]
    assert calls[1]["rawOutput"]["stdout"] == "second-call\n"


async def test_an_edit_shows_what_changed(start_pi: StartAdapter, cwd: Path) -> None:
    path = cwd / "scenario.txt"
    path.write_text("first\nhello\nlast\n", encoding="utf-8")
    pi = await start_pi()
    await pi.open()

    await pi.prompt(f"SCENARIO:edit-file FILE<<{path}>>")

    call = pi.last_tool()
    assert path.read_text(encoding="utf-8") == "first\ngoodbye\nlast\n"
    assert (call["kind"], call["title"]) == ("edit", "edit scenario.txt")
    (diff,) = call["content"]
    assert (diff["path"], diff["oldText"]) == (str(path), "first\nhello\nlast\n")
    assert diff["newText"] == "first\ngoodbye\nlast\n"
    assert diff["_meta"]["sandbox_agent"]["startLine"] == 1
    assert call["locations"] == [{"path": str(path)}]
    assert call["rawOutput"]["firstChangedLine"] == 2


async def test_a_written_file_is_a_diff_too(start_pi: StartAdapter, cwd: Path) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:write-file FILE<<new.txt>>")

    path = cwd / "new.txt"
    assert path.read_text(encoding="utf-8") == "hello scripted file\n"
    assert pi.last_tool()["content"] == [
        {"type": "diff", "path": str(path), "newText": "hello scripted file\n"}
    ]


async def test_a_file_is_read_without_asking(start_pi: StartAdapter, cwd: Path) -> None:
    (cwd / "scenario.txt").write_text("what it says\n", encoding="utf-8")
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:read-file")

    assert pi.asked() == []
    call = pi.last_tool()
    assert (call["kind"], call["status"], call["rawOutput"]) == (
        "read",
        "completed",
        "what it says\n",
    )


async def test_an_image_reaches_the_model(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:image", {"type": "image", "mimeType": "image/png", "data": PIXEL})

    assert pi.text() == "I see 1 image(s): image/png"


async def test_two_prompts_after_each_other_are_two_turns(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:text one")
    pi.forget()
    await pi.prompt("SCENARIO:memory")

    assert pi.text() == 'I remember: ["SCENARIO:text one"]'


async def test_a_flaky_model_is_tried_again_and_that_is_told(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    await pi.open()

    answer = await pi.prompt("SCENARIO:flaky")

    assert answer["result"]["stopReason"] == "end_turn"
    assert pi.text() == "Recovered after retry."
    methods = [frame.get("method") for frame in pi.frames]
    assert methods.index("_pi/auto_retry_start") < methods.index("_pi/auto_retry_end")


async def test_a_system_prompt_reaches_the_model_by_a_file_that_goes_with_the_session(
    start_pi: StartAdapter,
    scripted_llm: ScriptedLLM,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    monkeypatch.setattr(private_file, "_MEMORY", str(files))
    pi = await start_pi()
    await pi.open(_meta={"systemPrompt": "Always answer in rhyme-4711."})

    await pi.prompt("SCENARIO:text")

    [prompt_file] = files.iterdir()
    assert prompt_file.stat().st_mode & 0o077 == 0
    assert "rhyme-4711" in str(scripted_llm.requests[-1].body["system"])
    await pi.close()
    assert list(files.iterdir()) == []
