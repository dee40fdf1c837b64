"""What the mock agent can be asked beside prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.frames import acp, extensions, operations
from sandbox_agent_core.frames.jsonrpc import INVALID_REQUEST, METHOD_NOT_FOUND
from sandbox_agent_core.spi.agent import AgentContext
from sandbox_agent_core.spi.capabilities import AgentCapabilities
from sandbox_agent_server.agents.mock import DEFINITION
from sandbox_agent_server.agents.mock.long_work import NATIVE_ERROR

SESSION = "mock-session-1"


@pytest.fixture
async def client(client_of: Any) -> Any:
    context = AgentContext(session_id="s", cwd=Path("/work"), env={})
    client = client_of(DEFINITION.create(context))
    await client.begin()
    return client


def text(words: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": words}]


async def test_it_announces_what_it_can(client_of: Any) -> None:
    context = AgentContext(session_id="s", cwd=Path("/work"), env={})
    client = client_of(DEFINITION.create(context))
    await client.adapter.start(client.inbox)
    hello = (await client.call(acp.INITIALIZE, protocolVersion=1))["result"]
    assert AgentCapabilities.read(hello["agentCapabilities"]) == AgentCapabilities(
        steer=True,
        usage="cost",
        compact=True,
        review=True,
        fork=True,
        fork_at=True,
        rewind_files=True,
        rewind_conversation=True,
        rename=True,
        native=True,
        hooks=frozenset({"before_tool", "after_tool"}),
        permission_answers=frozenset({"message", "updatedInput"}),
    )


async def test_it_is_steered_in_a_turn_and_not_between(client: Any) -> None:
    late = await client.call(operations.SESSION_STEER, sessionId=SESSION, prompt=text("hello"))
    assert late["error"]["code"] == INVALID_REQUEST
    asked = await client.start_prompt("wait")
    taken = await client.call(operations.SESSION_STEER, sessionId=SESSION, prompt=text("hello"))
    assert taken["result"] == {}
    assert (await client.answer_of(asked))["result"]["stopReason"] == "end_turn"
    assert "You said meanwhile: hello" in client.text()


async def test_it_compacts_and_reviews_in_turns(client: Any) -> None:
    await client.prompt("text")
    done = await client.call(operations.SESSION_COMPACT, sessionId=SESSION, instructions="be brief")
    assert done["result"]["stopReason"] == "end_turn"
    [told] = [f for f in client.frames if f.get("method") == extensions.CONTEXT_COMPACTED]
    assert told["params"]["summary"] == "1 prompts; be brief"
    target = {"type": "branch", "branch": "main"}
    done = await client.call(operations.SESSION_REVIEW, sessionId=SESSION, target=target)
    assert done["result"]["stopReason"] == "end_turn"
    assert "against main" in client.text()


async def test_it_goes_back_to_before_a_prompt(client: Any) -> None:
    for words in ("text", "edit", "text again"):
        await client.prompt(words)
    back = {"sessionId": SESSION, "promptIndex": 1, "files": True, "conversation": True}
    for dry_run in (True, False):
        done = await client.call(operations.SESSION_REWIND, **back, dryRun=dry_run)
        assert done["result"] == {"filesChanged": [str(Path("/work", "greeting.txt"))]}
    await client.prompt("history")
    assert client.text().endswith("0. text")


async def test_a_fork_says_where_it_comes_from(client: Any) -> None:
    asked = {"sessionId": "of-another", "cwd": "/work", "mcpServers": []}
    fork = await client.call(acp.SESSION_FORK, **asked, _meta={"beforePrompt": 2})
    id = fork["result"]["sessionId"]
    assert id != "of-another"
    await client.call(acp.SESSION_PROMPT, sessionId=id, prompt=text("history"))
    assert "a fork of of-another before prompt 2" in client.text()


async def test_its_own_requests_are_answered_or_refused(client: Any) -> None:
    async def native(method: str, **params: Any) -> Any:
        return await client.call(
            operations.SESSION_NATIVE, sessionId=SESSION, method=method, params=params
        )

    assert (await native("echo", a=1))["result"]["result"]["echo"] == {"a": 1}
    assert (await native("fail"))["error"]["code"] == NATIVE_ERROR
    assert (await native("fly"))["error"]["code"] == METHOD_NOT_FOUND


async def test_it_takes_a_title(client: Any) -> None:
    renamed = await client.call(operations.SESSION_RENAME, sessionId=SESSION, title="Parser")
    assert renamed["result"] == {}
    await client.prompt("history")
    assert "called Parser" in client.text()
