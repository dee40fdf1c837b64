"""The real OpenCode and Kilo against a scripted model: what is asked of a session beside its prompts."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.agent_options import OpenCodeOptions
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.operations import (
    SESSION_COMPACT,
    SESSION_FORK,
    SESSION_NATIVE,
    SESSION_RENAME,
    SESSION_REVIEW,
    SESSION_REWIND,
    SESSION_STEER,
)
from support.adapter_driver import AdapterDriver, StartAdapter, leave_open, option
from support.scripted_llm import ScriptedLLM

pytestmark = pytest.mark.real_agent

TOOL = "SCENARIO:tool SHELL<<touch made>>"


@pytest.fixture
def repository(cwd: Path) -> Path:
    subprocess.run(["git", "init", "-q"], cwd=cwd, check=True)
    return cwd


async def steer(agent: AdapterDriver, said: str) -> dict[str, Any]:
    return await agent.set(SESSION_STEER, prompt=[{"type": "text", "text": said}])


async def remembered(agent: AdapterDriver) -> str:
    agent.forget()
    await agent.prompt("SCENARIO:memory")
    return agent.text()


async def steered_and_compacted(agent: AdapterDriver) -> None:
    agent.answer = leave_open
    turn = await agent.start_prompt(TOOL)
    asked = await agent.wait_for(lambda frame: "touch made" in str(frame) and "id" in frame)
    assert (await steer(agent, "SCENARIO:text"))["result"] == {}
    await agent.respond(asked, option("allow_once")(asked) or {})
    agent.answer = option("allow_once")
    answer = await agent.wait_for_prompt(turn)
    assert answer["result"]["stopReason"] == "end_turn"
    assert answer["result"]["usage"]["totalTokens"] == 2 * 120
    assert "Hello from the scripted model." in agent.text()

    agent.forget()
    compacted = await agent.set(SESSION_COMPACT)
    assert compacted["result"]["stopReason"] == "end_turn"
    told = await agent.wait_for_method(extensions.CONTEXT_COMPACTED)
    assert (told["params"]["trigger"], told["params"]["summary"]) == ("manual", "Scripted title")
    assert agent.text() == ""


async def test_kilo_takes_up_what_is_said_into_a_turn_and_compacts(
    start_agent: Any, repository: Path
) -> None:
    kilo: AdapterDriver = await start_agent("kilo")
    await kilo.open()

    await steered_and_compacted(kilo)


async def test_long_work(start_opencode: StartAdapter, repository: Path) -> None:
    """One session for all of it: starting one takes longer than the rest."""
    agent = await start_opencode()
    await agent.open()
    file = repository / "scenario.txt"
    await agent.prompt("first SCENARIO:write-file")
    assert "error" in await steer(agent, "nobody listens")

    await steered_and_compacted(agent)
    await agent.prompt("third SCENARIO:edit-file")
    assert file.read_text(encoding="utf-8") == "goodbye scripted file\n"
    back = {"promptIndex": 2, "files": True, "conversation": True}
    would = await agent.set(SESSION_REWIND, **back, dryRun=True)
    assert would["result"] == {"filesChanged": [str(file)]}
    assert file.read_text(encoding="utf-8") == "goodbye scripted file\n"
    assert await agent.set(SESSION_REWIND, **back) | {"id": 0} == would | {"id": 0}
    assert file.read_text(encoding="utf-8") == "hello scripted file\n"
    assert "third" not in await remembered(agent)
    assert "error" in await agent.set(SESSION_REWIND, **back | {"promptIndex": 9})
    assert "error" in await agent.set(SESSION_REWIND, **back | {"conversation": False})

    words = {"promptIndex": 0, "files": False, "conversation": True}
    assert (await agent.set(SESSION_REWIND, **words))["result"] == {"filesChanged": []}
    assert file.exists()
    assert "first" not in await remembered(agent)

    assert (await agent.set(SESSION_RENAME, title="My own title"))["result"] == {}
    await agent.wait_for(lambda frame: "My own title" in str(frame) and "update" in str(frame))
    call = {"sessionId": agent.session_id, "method": "GET /session/{sessionID}"}
    native = await agent.ask(SESSION_NATIVE, call)
    assert native["result"]["result"]["title"] == "My own title"
    assert "error" in await agent.ask(SESSION_NATIVE, call | {"method": "GET /no/such"})

    agent.forget()
    target = {"type": "custom", "instructions": "SCENARIO:text"}
    review = await agent.set(SESSION_REVIEW, target=target)
    assert review["result"]["stopReason"] == "end_turn"
    assert "review" in str(agent.frames).lower()


async def test_a_fork_has_what_came_before_it(start_opencode: StartAdapter) -> None:
    first = await start_opencode()
    origin = (await first.open())["sessionId"]
    await first.prompt("the first thing SCENARIO:text")
    await first.prompt("the second thing SCENARIO:text")

    whole = await start_opencode()
    lost = await whole.ask(SESSION_FORK, {"sessionId": "ses_nosuchsession"})
    late = await whole.ask(SESSION_FORK, {"sessionId": origin, "_meta": {"beforePrompt": 3}})
    opened = await whole.open(SESSION_FORK, sessionId=origin)
    part = await start_opencode()
    await part.open(SESSION_FORK, sessionId=origin, _meta={"beforePrompt": 1})

    assert lost["error"]["code"] == -32002
    assert "the session has 2" in late["error"]["message"]
    assert opened["sessionId"] not in (origin, part.session_id)
    assert opened["modes"]["currentModeId"] == "build"
    assert "the second thing" in await remembered(whole)
    said = await remembered(part)
    assert "the first thing" in said
    assert "the second thing" not in said


async def test_an_answer_of_a_wanted_form(
    start_opencode: StartAdapter, scripted_llm: ScriptedLLM
) -> None:
    opencode = await start_opencode()
    await opencode.open()
    await opencode.prompt("SCENARIO:text")
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    prompt = [{"type": "text", "text": 'SCENARIO:structured ARGS<<{"n": 7}>>'}]

    answer = await opencode.set("session/prompt", prompt=prompt, _meta={"outputSchema": schema})
    bad = await opencode.set("session/prompt", prompt=prompt, _meta={"outputSchema": 7})
    words = {"promptIndex": 1, "files": False, "conversation": True}
    back = await opencode.set(SESSION_REWIND, **words)

    assert answer["result"]["_meta"]["structuredOutput"] == {"n": 7}
    assert bad["error"]["code"] == -32602
    assert "result" in back
    assert "SCENARIO:structured" not in await remembered(opencode)


async def test_what_takes_files_back_needs_a_repository(start_opencode: StartAdapter) -> None:
    opencode = await start_opencode()
    await opencode.open()
    await opencode.prompt("SCENARIO:text")

    back = await opencode.set(SESSION_REWIND, promptIndex=0, files=True, conversation=True)
    limited = await opencode.set(SESSION_COMPACT, instructions="Keep the names.")

    assert "git repository" in back["error"]["message"]
    assert "without instructions" in limited["error"]["message"]


async def test_options_reach_the_model(
    start_opencode: StartAdapter, scripted_llm: ScriptedLLM, home: Path
) -> None:
    extra, outside = home / "extra", home / "outside"
    for place in (extra, outside):
        place.mkdir()
        (place / "scenario.txt").write_text("hello scripted file\n", encoding="utf-8")
    options = OpenCodeOptions(disabled_tools=["bash"], system_prompt="You are terse.")
    opencode = await start_opencode(session_options=options)
    await opencode.open(additionalDirectories=[str(extra)])

    await opencode.prompt(f"SCENARIO:read-file FILE<<{extra}/scenario.txt>>")
    assert not opencode.asked()
    await opencode.prompt(f"SCENARIO:read-file FILE<<{outside}/scenario.txt>>")
    assert len(opencode.asked()) == 1

    request = next(item for item in scripted_llm.requests if item.scenario == "read-file")
    assert "read" in request.tools
    assert "bash" not in request.tools
    assert "You are terse." in str(request.body["system"])
    assert str(extra) in str(request.body["system"])
