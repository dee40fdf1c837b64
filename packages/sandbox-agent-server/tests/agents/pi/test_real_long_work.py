"""The real Pi against a scripted model: what is asked of a session beside its prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.agent_options import PiOptions
from sandbox_agent_core.frames import Frame, extensions
from sandbox_agent_core.frames.operations import (
    SESSION_COMPACT,
    SESSION_FORK,
    SESSION_NATIVE,
    SESSION_RENAME,
    SESSION_REWIND,
    SESSION_STEER,
)
from sandbox_agent_core.spi.capabilities import AgentCapabilities
from support.adapter_driver import AdapterDriver, StartAdapter, leave_open, option
from support.scripted_llm import ScriptedLLM

pytestmark = pytest.mark.real_agent

TOOL = "SCENARIO:tool SHELL<<touch made>>"
LOST = "00000000-0000-4000-8000-000000000000"


def has(pi: AdapterDriver, what: str) -> None:
    """Skips what the pinned version has not."""
    capabilities = AgentCapabilities.read(pi.adapter.capabilities)  # type: ignore[attr-defined]
    if not getattr(capabilities, what):
        pytest.skip(f"this version of Pi has no {what}")


async def remembered(pi: AdapterDriver) -> str:
    pi.forget()
    await pi.prompt("SCENARIO:memory")
    return pi.text()


async def steer(pi: AdapterDriver, said: str) -> Frame:
    return await pi.set(SESSION_STEER, prompt=[{"type": "text", "text": said}])


async def test_what_is_said_into_a_turn_is_heard_in_it(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    has(pi, "steer")
    await pi.open()
    assert "error" in await steer(pi, "nobody listens")
    pi.answer = leave_open
    turn = await pi.start_prompt(TOOL)
    asked = await pi.wait_for_method("session/request_permission")

    assert (await steer(pi, "SCENARIO:text"))["result"] == {}
    await pi.respond(asked, option("allow_once")(asked) or {})
    answer = await pi.wait_for_prompt(turn)

    assert answer["result"]["stopReason"] == "end_turn"
    assert "Hello from the scripted model." in pi.text()
    assert not pi.updates("user_message_chunk")


async def test_what_waits_when_a_turn_is_cancelled_is_never_said(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    has(pi, "steer")
    await pi.open()
    turn = await pi.start_prompt("SCENARIO:slow")
    await pi.wait_for_update("agent_message_chunk")

    await steer(pi, "never SCENARIO:text")
    await pi.cancel()
    answer = await pi.wait_for_prompt(turn)

    assert answer["result"]["stopReason"] == "cancelled"
    assert "never" not in await remembered(pi)


async def test_a_long_session_is_compacted_and_a_short_one_says_why_not(
    start_pi: StartAdapter,
) -> None:
    pi = await start_pi()
    await pi.open()
    await pi.prompt("SCENARIO:text")
    short = await pi.set(SESSION_COMPACT)
    await pi.prompt("SCENARIO:huge")
    await pi.prompt("SCENARIO:text")

    answer = await pi.set(SESSION_COMPACT, instructions="Keep the names.")

    told = await pi.wait_for_method(extensions.CONTEXT_COMPACTED)
    assert "too small" in short["error"]["message"]
    assert answer["result"]["stopReason"] == "end_turn"
    assert told["params"]["trigger"] == "manual"
    assert "Scripted title" in told["params"]["summary"]


async def test_a_session_goes_back_and_stays_there(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    has(pi, "rewind_conversation")
    session = (await pi.open())["sessionId"]
    await pi.prompt("the first SCENARIO:text")
    await pi.prompt(f"the second {TOOL}")
    await pi.prompt("the third SCENARIO:text")

    back = {"promptIndex": 1, "conversation": True}
    assert "result" in await pi.set(SESSION_REWIND, **back, dryRun=True)
    assert "the session has 3" in str(await pi.set(SESSION_REWIND, **back | {"promptIndex": 4}))
    assert "error" in await pi.set(SESSION_REWIND, **back, files=True)
    assert (await pi.set(SESSION_REWIND, **back))["result"] == {"filesChanged": []}
    await pi.close()

    again = await start_pi()
    await again.open("session/resume", sessionId=session)
    said = await remembered(again)
    assert "the first" in said
    assert "the second" not in said


async def test_a_fork_has_what_came_before_it(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    origin = (await pi.open())["sessionId"]
    await pi.prompt("the first SCENARIO:text")
    await pi.prompt("the second SCENARIO:text")

    whole = await start_pi()
    lost = await whole.ask(SESSION_FORK, {"sessionId": LOST})
    opened = await whole.open(SESSION_FORK, sessionId=origin)
    assert lost["error"]["code"] == -32002
    assert opened["sessionId"] != origin
    assert "the second" in await remembered(whole)

    part = await start_pi()
    has(part, "fork_at")
    await part.open(SESSION_FORK, sessionId=origin, _meta={"beforePrompt": 1})
    said = await remembered(part)
    assert "the first" in said
    assert "the second" not in said


async def test_a_title_and_what_pi_itself_can_be_asked(start_pi: StartAdapter) -> None:
    pi = await start_pi()
    opened = await pi.open()
    assert (await pi.set(SESSION_RENAME, title="mine"))["result"] == {}
    await pi.wait_for(lambda frame: "session_info_update" in str(frame))

    def native(method: str, **params: Any) -> Any:
        call = {"sessionId": pi.session_id, "method": method, "params": params}
        return pi.ask(SESSION_NATIVE, call)

    stats = await native("get_session_stats")
    assert stats["result"]["result"]["sessionId"] == opened["sessionId"]
    assert "error" in await native("prompt", message="unseen")
    assert "error" in await native("rm -rf")
    assert not [c for c in pi.updates("available_commands_update")[0]["availableCommands"]
                if c["name"].startswith("sandbox-agent")]  # fmt: skip


async def test_an_answer_changes_the_input_says_why_not_and_ends_the_turn(
    start_pi: StartAdapter, cwd: Path
) -> None:
    pi = await start_pi()
    await pi.open()

    async def answered(kind: str, **said: Any) -> Frame:
        choose = option(kind)
        pi.answer = lambda asked: (choose(asked) or {}) | {"_meta": {"sandbox_agent": said}}
        pi.forget()
        return await pi.prompt(TOOL)

    await answered("allow_once", updatedInput={"command": "touch other"})
    assert (cwd / "other").exists()
    assert pi.last_tool()["title"] == "touch other"
    await answered("reject_once", message="another way")
    assert "another way" in pi.text()
    stopped = await answered("reject_once", onReject="stop")
    assert stopped["result"]["stopReason"] == "cancelled"
    assert "Done." not in pi.text()
    assert not (cwd / "made").exists()


async def test_hooks_are_asked_before_and_after_a_tool(start_pi: StartAdapter, cwd: Path) -> None:
    pi = await start_pi()
    events = []

    def answer(asked: Frame) -> dict[str, Any] | None:
        if asked["method"] != "_sandbox_agent/hook":
            return option("allow_once")(asked)
        events.append(asked["params"]["event"])
        if events[-1] == "before_tool":
            return {"decision": "allow", "updatedInput": {"command": "touch hooked"}}
        return {"decision": None, "context": "said by a hook"}

    pi.answer = answer
    await pi.open(_meta={"hooks": {"before_tool": True, "after_tool": True}})

    await pi.prompt(TOOL)

    assert events == ["before_tool", "after_tool"]
    assert not pi.asked()
    assert (cwd / "hooked").exists()
    assert "said by a hook" in pi.text()


async def test_options_reach_the_model(start_pi: StartAdapter, scripted_llm: ScriptedLLM) -> None:
    options = PiOptions(
        tools=["read", "bash"],
        system_prompt="You are terse.",
        auto_compaction=False,
        steering="all",
    )
    pi = await start_pi(session_options=options)
    await pi.open(_meta={"systemPrompt": "And polite."})

    await pi.prompt("SCENARIO:text")

    request = next(item for item in scripted_llm.requests if item.scenario == "text")
    assert request.tools == ["bash", "read"]
    assert "You are terse." in str(request.body["system"])
    assert "And polite." in str(request.body["system"])


async def test_a_file_that_is_written_over_shows_what_it_held(
    start_pi: StartAdapter, cwd: Path
) -> None:
    (cwd / "scenario.txt").write_text("what it held\n", encoding="utf-8")
    pi = await start_pi()
    await pi.open()

    await pi.prompt("SCENARIO:write-file")

    (asked,) = pi.asked()
    for call in (asked["params"]["toolCall"], pi.last_tool()):
        (diff,) = call["content"]
        assert diff["oldText"] == "what it held\n"
