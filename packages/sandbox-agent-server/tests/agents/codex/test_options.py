"""What a session asks of Codex alone (`agentOptions`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from codex_replay import MODELS, THREAD
from pydantic import ValidationError
from sandbox_agent_core.agent_options import CodexOptions
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.operations import SESSION_FORK, SESSION_NATIVE
from sandbox_agent_server.agents.codex.offers import Offers
from sandbox_agent_server.agents.codex.opening import thread_params
from sandbox_agent_server.agents.codex.options import profile_settings
from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.session_params import SessionParams
from support.adapter_driver import StartAdapter, option
from support.fixtures import codex_env
from support.scripted_llm import ScriptedLLM

PROFILE = """
approval_policy = "never"
sandbox_mode = "danger-full-access"
model = "luna"
[features]
undo = true
[projects."/repo"]
trust_level = "trusted"
[tools]
"a.b" = 1
"""


def test_options_and_a_profile_become_settings_of_the_thread() -> None:
    options = CodexOptions(
        summary="concise",
        web_search="disabled",
        service_tier="fast",
        config={"tool_output_token_limit": 9},
    )

    params = thread_params(
        SessionParams.read({}, is_resumed=False, cwd=Path("/repo")),
        account={"account": {}},
        configuration={},
        env={},
        options=options,
        profile={"web_search": "cached", "features.undo": True},
    )

    assert params["config"] == {
        "web_search": "disabled",
        "features.undo": True,
        "model_reasoning_summary": "concise",
        "tool_output_token_limit": 9,
    }
    assert params["serviceTier"] == "fast"
    assert params["approvalPolicy"] == "untrusted"


def test_what_is_about_approvals_or_the_sandbox_is_no_option() -> None:
    with pytest.raises(ValidationError, match="approval_policy"):
        CodexOptions(config={"approval_policy": "never"})
    with pytest.raises(ValidationError):
        CodexOptions(profile="../x")
    assert {"liveWebSearch", "profile"} == CodexOptions.risky_names()


def test_a_profile_settles_nothing_of_approvals(home: Path) -> None:
    folder = home / ".codex"
    folder.mkdir()
    (folder / "work.config.toml").write_text(PROFILE, encoding="utf-8")

    settings = profile_settings("work", {"HOME": str(home)})

    assert settings == {"model": "luna", "features.undo": True, "tools": {"a.b": 1}}
    assert profile_settings("work", {"CODEX_HOME": str(folder)}) == settings
    with pytest.raises(InvalidParams, match="other"):
        profile_settings("other", {"HOME": str(home)})


def test_a_session_that_plans_in_every_mode_is_in_the_mode_that_was_set() -> None:
    offers = Offers(THREAD, MODELS, plans_anyway=True)
    plans = {"collaborationMode": {"mode": "plan"}}

    for name in ("untrusted", "read-only"):
        change = offers.change("mode", name)
        offers.apply(change)
        assert change["collaborationMode"]["mode"] == "plan"
        assert offers.mode == name
    offers.apply({"approvalPolicy": "untrusted", "sandbox": {"type": "workspaceWrite"}} | plans)
    assert offers.mode == "untrusted"


# The real Codex

real_agent = pytest.mark.real_agent


@real_agent
async def test_options_reach_the_model(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    options = CodexOptions(
        summary="detailed",
        verbosity="high",
        service_tier="fast",
        personality="friendly",
        web_search="disabled",
        output_schema={"type": "object", "properties": {"n": {"type": "integer"}}},
    )
    codex = await start_codex(session_options=options)
    await codex.open(_meta={"model": "gpt-5.5"})

    answer = await codex.prompt('SCENARIO:say SAY<<{"n": 3}>>')

    body = scripted_llm.requests[-1].body
    assert body["reasoning"]["summary"] == "detailed"
    assert (body["text"]["verbosity"], body["service_tier"]) == ("high", "priority")
    assert body["text"]["format"]["type"] == "json_schema"
    assert "web_search" not in [tool["type"] for tool in body["tools"]]
    assert answer["result"]["_meta"]["structuredOutput"] == {"n": 3}


@real_agent
async def test_a_fork_has_the_options_of_its_session(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    options = CodexOptions(summary="detailed", personality="friendly", service_tier="fast")
    first, fork = await start_codex(), await start_codex(session_options=options)
    await first.open()
    await first.prompt("SCENARIO:text")

    opened = await fork.open(SESSION_FORK, sessionId=first.session_id, _meta={"model": "gpt-5.5"})
    fork.session_id = opened["sessionId"]
    await fork.prompt("SCENARIO:text")

    body = scripted_llm.requests[-1].body
    assert (body["reasoning"]["summary"], body["service_tier"]) == ("detailed", "priority")


@real_agent
async def test_codex_plans_and_asks_in_a_mode_that_does_not(start_codex: StartAdapter) -> None:
    codex = await start_codex(session_options=CodexOptions(collaboration_mode="plan"))
    codex.answer = lambda _: {"action": "accept", "content": {"colour": "Blue"}}
    opened = await codex.open()

    await codex.set("session/set_mode", modeId="auto")
    await codex.prompt("SCENARIO:ask")

    assert opened["modes"]["currentModeId"] == "untrusted"
    assert len(codex.asked("elicitation/create")) == 1


@real_agent
async def test_a_goal_is_followed_for_as_many_turns_as_the_session_allows(
    start_codex: StartAdapter,
) -> None:
    codex = await start_codex(session_options=CodexOptions(max_goal_turns=2))
    await codex.open()
    await codex.prompt("SCENARIO:text")
    goal = {"objective": "go on", "status": "active"}

    asked = {"sessionId": codex.session_id, "method": "thread/goal/set", "params": goal}
    await codex.ask(SESSION_NATIVE, asked)

    told = await codex.wait_for_method(extensions.ERROR)
    assert told["params"]["code"] == "limit_reached"
    await codex.wait_for(lambda frame: "'status': 'paused'" in str(frame))
    # A third one may begin before Codex has read that, and is interrupted.
    await codex.wait_for(lambda _: len(codex.asked(extensions.TURN_ENDED)) >= 2)
    assert len(codex.asked(extensions.TURN_STARTED)) in (2, 3)


@real_agent
async def test_a_profile_is_laid_over_the_configuration(
    start_codex: StartAdapter, home: Path, scripted_llm: ScriptedLLM
) -> None:
    codex = await start_codex(session_options=CodexOptions(profile="work"))
    text = 'model = "gpt-5.5"\nmodel_verbosity = "high"\napproval_policy = "never"\n'
    (home / ".codex" / "work.config.toml").write_text(text, encoding="utf-8")
    opened = await codex.open()

    await codex.prompt("SCENARIO:text")

    body: dict[str, Any] = scripted_llm.requests[-1].body
    assert (body["model"], body["text"]["verbosity"]) == ("gpt-5.5", "high")
    assert opened["modes"]["currentModeId"] == "untrusted"


@real_agent
async def test_a_command_may_write_in_the_other_directories_of_the_session(
    start_codex: StartAdapter, scripted_llm: ScriptedLLM, home: Path, tmp_path: Path
) -> None:
    other, outside = tmp_path / "other", tmp_path / "outside"
    other.mkdir()
    codex_env(home, scripted_llm)
    # Else its sandbox has all directories for temporary files, and those of tests are such.
    narrow = "exclude_slash_tmp = true\nexclude_tmpdir_env_var = true\n"
    with (home / ".codex" / "config.toml").open("a", encoding="utf-8") as file:
        file.write(f"[sandbox_workspace_write]\n{narrow}")
    codex = await start_codex()
    await codex.open(additionalDirectories=[str(other)])

    await codex.prompt(f"SCENARIO:tool SHELL<<touch {other}/one>>")
    await codex.set("session/set_mode", modeId="auto")
    # Codex may ask whether what its sandbox has stopped is to run without.
    codex.answer = option("reject_once")
    await codex.prompt(f"SCENARIO:tool SHELL<<touch {other}/two; touch {outside}>>")

    assert sorted(path.name for path in other.iterdir()) == ["one", "two"]
    assert not outside.exists()
