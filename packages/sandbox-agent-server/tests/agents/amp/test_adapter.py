"""Amp behind its adapter, played by a stand-in that follows its published protocol."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.agent_options import AmpOptions
from sandbox_agent_core.errors import AgentNotInstalled
from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_server.agents.amp import AmpAdapter
from support.adapter_driver import AdapterDriver, StartAdapter, leave_open, option


def run(tool: str, **given: Any) -> str:
    return f"run {tool} {json.dumps(given)}"


def thread_of(amp: AdapterDriver) -> str:
    [update] = amp.updates("session_info_update")
    thread = update["_meta"]["agentSessionId"]
    assert isinstance(thread, str)
    return thread


async def test_text_thinking_and_usage(start_amp: StartAdapter) -> None:
    amp = await start_amp()
    await amp.open()

    answer = await amp.prompt("say hello there")

    assert amp.text() == "hello there"
    assert amp.text("agent_thought_chunk") == "hm"
    assert amp.text("user_message_chunk") == ""
    assert answer["result"] == {
        "stopReason": "end_turn",
        "usage": {
            "inputTokens": 10,
            "outputTokens": 5,
            "cachedReadTokens": 2,
            "cachedWriteTokens": 1,
            "totalTokens": 18,
        },
    }
    assert amp.updates("usage_update")[0]["used"] == 18
    assert amp.updates("usage_update")[0]["size"] == 1000


async def test_the_next_prompt_continues_the_thread(start_amp: StartAdapter) -> None:
    amp = await start_amp()
    await amp.open()
    await amp.prompt("say one")
    amp.forget()

    await amp.prompt("memory")

    assert amp.text() == '["say one"]'
    assert amp.updates("session_info_update") == []


async def test_a_new_adapter_resumes_the_thread_by_the_id_that_amp_gave_it(
    start_amp: StartAdapter,
) -> None:
    first = await start_amp()
    await first.open()
    await first.prompt("say one")
    thread = thread_of(first)
    assert thread != first.session_id
    await first.close()

    second = await start_amp()
    await second.open("session/resume", sessionId=thread)
    await second.prompt("memory")

    assert second.text() == '["say one"]'


async def test_a_session_that_was_never_prompted_cannot_be_resumed(start_amp: StartAdapter) -> None:
    amp = await start_amp()

    answer = await amp.ask("session/resume", {"sessionId": "0b7c-not-a-thread", "mcpServers": []})

    assert answer["error"]["code"] == -32002
    await amp.open()
    await amp.prompt("say fresh")
    assert amp.text() == "fresh"


async def test_a_thread_that_amp_does_not_have_fails_the_prompt(start_amp: StartAdapter) -> None:
    amp = await start_amp()
    await amp.open("session/resume", sessionId="T-00000000-0000-0000-0000-000000000000")

    answer = await amp.prompt("say hello")

    assert answer["error"]["code"] == -32603
    assert "not found" in answer["error"]["message"]


async def test_a_tool_is_asked_about_and_runs_when_allowed(start_amp: StartAdapter) -> None:
    amp = await start_amp()
    await amp.open()

    await amp.prompt(run("Bash", cmd="echo hi; exit 3"))

    [asked] = amp.asked()
    call = amp.last_tool()
    assert asked["params"]["toolCall"]["toolCallId"] == call["toolCallId"]
    assert asked["params"]["toolCall"]["title"] == "echo hi; exit 3"
    assert (call["kind"], call["status"]) == ("execute", "failed")
    assert call["rawOutput"] == {"stdout": "hi\n", "exitCode": 3}
    assert [item["content"]["text"] for item in call["content"]] == ["hi\n"]
    statuses = [update.get("status") for update in amp.updates() if "toolCallId" in update]
    assert statuses == ["pending", "in_progress", "failed"]


async def test_a_silent_command_has_no_output(start_amp: StartAdapter) -> None:
    amp = await start_amp()
    await amp.open()

    await amp.prompt(run("Bash", cmd="true"))

    assert (amp.last_tool()["status"], amp.last_tool()["content"]) == ("completed", [])


async def test_its_modes_are_models_and_a_thread_stays_where_its_user_finds_it(
    start_amp: StartAdapter,
) -> None:
    options = AmpOptions(labels=("one", "-x"), title="A title", features=("fast",))
    amp = await start_amp(session_options=options, options={"models": ["reviewer"]})
    opened = await amp.open()
    (model,) = opened["configOptions"]
    assert [choice["value"] for choice in model["options"]] == [
        "default", "low", "medium", "high", "ultra", "reviewer",
    ]  # fmt: skip
    await amp.prompt("flags")
    first = json.loads(amp.text())
    assert not any(flag.startswith("--mode") for flag in first)
    assert {"--no-archive-after-execute", "--label=one", "--label=-x"} <= set(first)
    assert {"--title=A title", "--features=fast"} <= set(first)

    refused = await amp.set("session/set_config_option", configId="model", value="huge")
    assert "error" in refused
    await amp.set("session/set_config_option", configId="model", value="high")
    amp.forget()
    await amp.prompt("flags")
    again = json.loads(amp.text())
    assert {"--mode=high", "--label=one", "--no-archive-after-execute"} <= set(again)
    assert "--title=A title" not in again


async def test_a_rejected_tool_does_not_run_and_the_model_is_told(
    start_amp: StartAdapter, cwd: Path
) -> None:
    amp = await start_amp()
    amp.answer = option("reject_once")
    await amp.open()

    answer = await amp.prompt(run("Bash", cmd="touch made"))

    assert not (cwd / "made").exists()
    assert amp.last_tool()["status"] == "failed"
    assert "The user rejected this tool call" in amp.text()
    assert answer["result"]["stopReason"] == "end_turn"


async def test_always_covers_the_same_command_for_the_session(start_amp: StartAdapter) -> None:
    amp = await start_amp()
    amp.answer = option("allow_always")
    await amp.open()

    await amp.prompt(run("Bash", cmd="true"))
    await amp.prompt(run("Bash", cmd="true"))
    assert len(amp.asked()) == 1
    await amp.prompt(run("Bash", cmd="false"))

    assert len(amp.asked()) == 2


async def test_read_only_asks_about_what_was_allowed_for_good(start_amp: StartAdapter) -> None:
    amp = await start_amp()
    amp.answer = option("allow_always")
    opened = await amp.open()
    assert opened["modes"]["currentModeId"] == "ask"
    await amp.prompt(run("Bash", cmd="true"))

    await amp.set("session/set_mode", modeId="read-only")
    await amp.prompt(run("Bash", cmd="true"))

    assert len(amp.asked()) == 2
    assert (await amp.set("session/set_mode", modeId="yolo"))["error"]["code"] == -32602


async def test_a_written_file_is_a_diff(start_amp: StartAdapter, cwd: Path) -> None:
    amp = await start_amp()
    await amp.open()
    path = str(cwd / "new.txt")

    await amp.prompt(run("create_file", path=path, content="text\n"))

    assert (cwd / "new.txt").read_text(encoding="utf-8") == "text\n"
    assert amp.last_tool()["content"] == [{"type": "diff", "path": path, "newText": "text\n"}]


async def test_reading_is_not_asked_about(start_amp: StartAdapter) -> None:
    amp = await start_amp()
    await amp.open()

    await amp.prompt(run("Read", path="/etc/hostname"))

    assert amp.asked() == []
    assert amp.last_tool()["status"] == "completed"


@pytest.mark.parametrize("env", [{}, {"ASK_FIRST": "1"}], ids=["told first", "asked first"])
async def test_a_question_and_its_call_find_each_other(
    start_amp: StartAdapter, env: dict[str, str]
) -> None:
    amp = await start_amp(env=env)
    await amp.open()

    await amp.prompt("two")

    calls = [update["toolCallId"] for update in amp.updates("tool_call")]
    assert [asked["params"]["toolCall"]["toolCallId"] for asked in amp.asked()] == calls
    assert [amp.tool(call)["rawOutput"]["stdout"] for call in calls] == ["1\n", "2\n"]


async def test_cancel_stops_the_process_and_the_next_prompt_works(start_amp: StartAdapter) -> None:
    amp = await start_amp()
    await amp.open()
    prompt = await amp.start_prompt("wait")
    await amp.wait_for_update("agent_message_chunk")

    await amp.cancel()

    answer = await amp.wait_for_prompt(prompt)
    assert answer["result"]["stopReason"] == "cancelled"
    amp.forget()
    await amp.prompt("memory")
    assert amp.text() == '["wait"]'


async def test_cancel_withdraws_an_open_permission(start_amp: StartAdapter, cwd: Path) -> None:
    amp = await start_amp()
    amp.answer = leave_open
    await amp.open()
    prompt = await amp.start_prompt(run("Bash", cmd="touch made"))
    asked = await amp.wait_for_method("session/request_permission")

    await amp.cancel()

    answer = await amp.wait_for_prompt(prompt)
    assert answer["result"]["stopReason"] == "cancelled"
    withdrawn = await amp.wait_for_method("$/cancel_request")
    assert withdrawn["params"] == {"requestId": asked["id"]}
    assert not (cwd / "made").exists()


async def test_a_second_prompt_while_one_runs_is_refused(start_amp: StartAdapter) -> None:
    amp = await start_amp()
    await amp.open()
    await amp.start_prompt("wait")
    await amp.wait_for_update("agent_message_chunk")

    assert (await amp.prompt("say x"))["error"]["code"] == -32600


@pytest.mark.parametrize(
    ("prompt", "message"), [("fail", "Out of credits"), ("crash", "something broke")]
)
async def test_a_failed_turn_is_an_error_and_the_session_goes_on(
    start_amp: StartAdapter, prompt: str, message: str
) -> None:
    amp = await start_amp()
    await amp.open()

    answer = await amp.prompt(prompt)

    assert answer["error"]["code"] == -32603
    assert message in answer["error"]["message"]
    await amp.prompt("say well")
    assert amp.text() == "well"


async def test_what_is_not_a_message_is_kept(start_amp: StartAdapter) -> None:
    amp = await start_amp()
    await amp.open()

    await amp.prompt("banner")

    [kept] = [
        frame for frame in amp.frames if frame.get("method") == "_sandbox_agent/agent.unparsed"
    ]
    assert kept["params"]["text"] == "A banner, not JSON"
    assert amp.text() == "after the banner"


async def test_without_a_login_there_is_no_session(start_amp: StartAdapter) -> None:
    amp = await start_amp(env={"AMP_API_KEY": ""})

    answer = await amp.ask("session/new", {"mcpServers": []})

    assert answer["error"]["code"] == -32000
    assert "AMP_API_KEY" in answer["error"]["message"]


@pytest.mark.parametrize("key", ["", "wrong"])
async def test_a_login_that_amp_does_not_take_fails_the_prompt(
    start_amp: StartAdapter, home: Path, key: str
) -> None:
    secrets = home / ".local" / "share" / "amp" / "secrets.json"
    secrets.parent.mkdir(parents=True)
    secrets.write_text("{}", encoding="utf-8")
    amp = await start_amp(env={"AMP_API_KEY": key})
    await amp.open()

    answer = await amp.prompt("say hello")

    assert answer["error"]["code"] == -32000
    assert "AMP_API_KEY" in answer["error"]["message"]


async def test_the_settings_of_the_user_are_kept_and_what_they_leave_open_is_asked(
    start_amp: StartAdapter, home: Path
) -> None:
    settings = home / ".config" / "amp" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        """{
          // with comments, and a trailing comma
          "amp.tab": "http://x", "amp.dangerouslyAllowAll": true,
          "amp.permissions": [
            {"tool": "Bash", "action": "allow"},
            {"tool": "web_*", "action": "ask"},
            {"tool": "oracle", "action": "reject", "message": "no oracle"},
          ]
        }""",
        encoding="utf-8",
    )
    amp = await start_amp()
    await amp.open(_meta={"systemPrompt": "Be brief."})

    await amp.prompt("settings")
    told = json.loads(amp.text())
    amp.forget()
    await amp.prompt(run("Bash", cmd="true"))
    await amp.prompt(run("oracle", prompt="?"))
    assert amp.asked() == []
    await amp.prompt(run("web_search", query="?"))
    assert len(amp.asked()) == 1

    assert told["amp.tab"] == "http://x"
    assert told["amp.systemPrompt"] == "Be brief."
    assert "amp.dangerouslyAllowAll" not in told
    assert [rule["action"] for rule in told["amp.permissions"]] == [
        "allow",
        "delegate",
        "reject",
        "delegate",
    ]


async def test_settings_that_cannot_be_read_are_not_thrown_away(
    start_amp: StartAdapter, home: Path
) -> None:
    settings = home / ".config" / "amp" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text("{oops", encoding="utf-8")
    amp = await start_amp()
    await amp.open()

    answer = await amp.prompt("say hello")

    assert answer["error"]["code"] == -32603
    assert "settings.json" in answer["error"]["message"]
    assert settings.read_text(encoding="utf-8") == "{oops"


async def test_mcp_servers_reach_amp_in_a_private_file(start_amp: StartAdapter) -> None:
    env = [{"name": "KEY", "value": "secret"}]
    servers = [
        {"name": "files", "command": "files-mcp", "args": ["-x"], "env": env},
        {"name": "web", "type": "http", "url": "https://x", "headers": []},
    ]
    amp = await start_amp()
    await amp.open(mcpServers=servers)

    await amp.prompt("mcp")

    assert json.loads(amp.text()) == {
        "files": {"command": "files-mcp", "args": ["-x"], "env": {"KEY": "secret"}},
        "web": {"url": "https://x", "headers": {}},
    }


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """For a socket the path of `tmp_path` is too long."""
    with tempfile.TemporaryDirectory(prefix="t") as name:
        yield Path(name)


async def test_nothing_is_left_behind(
    start_amp: StartAdapter, short_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = short_directory
    monkeypatch.setattr(tempfile, "tempdir", str(files))
    amp = await start_amp()
    await amp.open()
    await amp.prompt("say hello")
    assert len(list(files.iterdir())) == 1

    await amp.close()

    assert list(files.iterdir()) == []


async def test_a_directory_for_files_that_is_too_deep_for_a_socket_is_left_alone(
    start_amp: StartAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tmp_path / ("deep" * 25)
    files.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(files))
    amp = await start_amp()
    await amp.open()

    await amp.prompt(run("Bash", cmd="true"))

    assert amp.last_tool()["status"] == "completed"
    assert list(files.iterdir()) == []


@pytest.mark.parametrize("block", [{"type": "image", "data": "AA", "mimeType": "image/png"}, "x"])
async def test_what_amp_cannot_take_is_refused(start_amp: StartAdapter, block: Any) -> None:
    amp = await start_amp()
    await amp.open()

    answer = await amp.ask("session/prompt", {"sessionId": amp.session_id, "prompt": [block]})

    assert answer["error"]["code"] == -32602


async def test_a_missing_program_is_said_with_how_to_get_it(tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    context = AgentContext(session_id="s", cwd=tmp_path, env=env)

    with pytest.raises(AgentNotInstalled, match="npm install -g @sourcegraph/amp"):
        async with AdapterDriver(AmpAdapter(context), context):
            pass
