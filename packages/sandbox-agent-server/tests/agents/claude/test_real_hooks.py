"""Hooks of a session before and after the tools of the real Claude Code. The model is scripted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from claude_driver import Answer, ClaudeDriver, StartClaude, option
from sandbox_agent_core.frames import Frame, extensions
from support.scripted_llm import ScriptedLLM

pytestmark = pytest.mark.real_agent

OpenWithHook = Callable[..., Any]


def hooking(said: dict[str, Any], *, permission: str = "allow_once") -> Answer:
    answer = option(permission)

    def choose(asked: Frame) -> dict[str, Any] | None:
        return said if asked["method"] == extensions.HOOK else answer(asked)

    return choose


async def opened(start_claude: StartClaude, said: dict[str, Any], *hooks: str, **how: Any) -> ClaudeDriver:  # fmt: skip
    claude = await start_claude()
    claude.answer = hooking(said, **how)
    await claude.open(_meta={"hooks": dict.fromkeys(hooks, True)})
    return claude


async def test_nobody_asks_a_hook_that_the_session_does_not_have(start_claude: StartClaude) -> None:
    claude = await opened(start_claude, {})
    await claude.prompt("SCENARIO:tool SHELL<<true>>")
    assert not claude.asked(extensions.HOOK)


async def test_a_hook_before_a_tool_may_say_nothing(start_claude: StartClaude, cwd: Path) -> None:
    claude = await opened(start_claude, {}, "before_tool")

    await claude.prompt("SCENARIO:tool SHELL<<touch made>>")

    (asked,) = claude.asked(extensions.HOOK)
    call = asked["params"]["toolCall"]
    assert asked["params"]["event"] == "before_tool"
    assert (call["title"], call["kind"], call["name"]) == ("touch made", "execute", "Bash")
    assert call["toolCallId"] == claude.last_tool()["toolCallId"]
    assert claude.asked(), "permissions are asked for as without it"
    assert (cwd / "made").exists()


async def test_it_may_allow(start_claude: StartClaude, cwd: Path) -> None:
    claude = await opened(start_claude, {"decision": "allow"}, "before_tool")
    await claude.prompt("SCENARIO:tool SHELL<<touch made>>")
    assert not claude.asked()
    assert (cwd / "made").exists()


async def test_it_may_deny_and_say_why(
    start_claude: StartClaude, scripted_llm: ScriptedLLM, cwd: Path
) -> None:
    said = {"decision": "deny", "message": "not on my watch"}
    claude = await opened(start_claude, said, "before_tool")

    await claude.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert not (cwd / "made").exists()
    assert not claude.asked()
    assert claude.last_tool()["status"] == "failed"
    assert "not on my watch" in str(scripted_llm.requests[-1].body["messages"])


@pytest.mark.parametrize("decision", ["ask", None])
async def test_other_input_is_asked_for_unless_it_is_allowed(
    start_claude: StartClaude, cwd: Path, decision: str | None
) -> None:
    said = {"decision": decision, "updatedInput": {"command": "touch other"}}
    claude = await opened(start_claude, said, "before_tool", permission="reject_once")

    await claude.prompt("SCENARIO:tool SHELL<<touch made>>")

    (asked,) = claude.asked()
    assert asked["params"]["toolCall"]["rawInput"] == {"command": "touch other"}
    assert not list(cwd.iterdir())


async def test_other_input_that_it_allows_runs_and_is_told(
    start_claude: StartClaude, cwd: Path
) -> None:
    said = {"decision": "allow", "updatedInput": {"command": "touch other"}}
    claude = await opened(start_claude, said, "before_tool")

    await claude.prompt("SCENARIO:tool SHELL<<touch made>>")

    assert [path.name for path in cwd.iterdir()] == ["other"]
    assert claude.last_tool()["title"] == "touch other"


async def test_a_hook_after_a_tool_sees_what_came_of_it_and_adds_to_it(
    start_claude: StartClaude, scripted_llm: ScriptedLLM
) -> None:
    claude = await opened(start_claude, {"context": "mind the gap"}, "after_tool")

    await claude.prompt("SCENARIO:tool SHELL<<echo out; exit 3>>")
    await claude.prompt("SCENARIO:tool SHELL<<echo fine>>")

    failed, fine = (asked["params"] for asked in claude.asked(extensions.HOOK))
    assert (failed["event"], failed["toolCall"]["status"]) == ("after_tool", "failed")
    assert (failed["output"]["exitCode"], failed["output"]["stdout"]) == (3, "out")
    assert fine["toolCall"]["status"] == "completed"
    assert (fine["output"]["exitCode"], fine["output"]["stdout"]) == (0, "fine")
    assert fine["output"]["durationMs"] >= 0
    assert "mind the gap" in str(scripted_llm.requests[-1].body["messages"])
