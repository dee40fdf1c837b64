"""Functions of a program as tools of an agent: over MCP to the agent, through the log to the program, and back."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import httpx
import pytest
from pydantic import BaseModel, Field
from sandbox_agent_client import SandboxAgent, SandboxAgentSync, SessionSync, Tool
from sandbox_agent_client.errors import AgentError, InvalidRequest, OperationNotSupported
from support.server import ServerProcess, until

AGENT = """
import json, sys, threading, urllib.request

def send(**frame):
    print(json.dumps({"jsonrpc": "2.0", **frame}), flush=True)

def mcp(server, method, params, id=1):
    body = json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode()
    headers = {pair["name"]: pair["value"] for pair in server["headers"]}
    headers |= {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    with urllib.request.urlopen(urllib.request.Request(server["url"], body, headers), timeout=60) as answer:
        text = answer.read().decode()
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")] or [text]
    return json.loads(lines[-1])

def say(told, prompt):
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": json.dumps(told)}}
    send(method="session/update", params={"sessionId": "calling", "update": update})
    send(id=prompt, result={"stopReason": "end_turn"})

def play(frame):
    wanted = json.loads(frame["params"]["prompt"][-1]["text"])
    if wanted == "sneak":
        send(id="x", method="_sandbox_agent/host_tool", params={"sessionId": "calling", "tool": "price", "input": {}})
        return
    host = next((one for one in opened["mcpServers"] if one["name"] == "host"), None)
    if host is None:
        return say(None, frame["id"])
    mcp(host, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}})
    if wanted == "list":
        return say(mcp(host, "tools/list", {})["result"], frame["id"])
    say(mcp(host, "tools/call", wanted)["result"], frame["id"])

for line in sys.stdin:
    frame = json.loads(line)
    match frame.get("method"):
        case "initialize":
            send(id=frame["id"], result={"protocolVersion": 1})
        case "session/new":
            opened = frame["params"]
            send(id=frame["id"], result={"sessionId": "calling"})
        case "session/prompt":
            prompt = frame["id"]
            threading.Thread(target=play, args=(frame,), daemon=True).start()
        case "session/weather":
            send(id=frame["id"], result={"asked": frame["params"]})
        case None if frame.get("id") == "x":
            say(frame.get("error", frame.get("result")), prompt)
"""
PRICES = {"apple": 0.4}


class Order(BaseModel):
    item: str
    count: int = 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    directory = tmp_path_factory.mktemp("server")
    script = directory / "calling.py"
    script.write_text(AGENT, encoding="utf-8")
    config = f"[agents.calling]\ncommand = {json.dumps([sys.executable, str(script)])}\n"
    process = ServerProcess(
        directory, config=config, arguments=["--limit", "host_tool_lease_s=4"]
    ).start()
    yield process
    process.stop()


@pytest.fixture
def client(server: ServerProcess) -> Iterator[SandboxAgentSync]:
    with SandboxAgentSync.connect(server.url, token=server.token) as client:
        yield client


def called(session: SessionSync, name: str, **arguments: Any) -> dict[str, Any]:
    """What the agent was told."""
    told: dict[str, Any] = json.loads(
        session.prompt(json.dumps({"name": name, "arguments": arguments})).text
    )
    return told


def text_of(told: dict[str, Any]) -> str:
    return str(told["content"][0]["text"])


def price(item: Annotated[str, Field(description="What is sold.")], count: int = 1) -> float:
    """What so many cost."""
    return PRICES[item] * count


def test_an_agent_is_told_of_functions_and_calls_them(
    client: SandboxAgentSync, server: ServerProcess
) -> None:
    def order(order: Order) -> dict[str, Any]:
        return {"ordered": order.count * order.item}

    session = client.create_session("calling", tools=[price, order])
    assert session.info.tools == ["price", "order"]
    (listed, _) = json.loads(session.prompt('"list"').text)["tools"]
    assert (listed["name"], listed["description"]) == ("price", "What so many cost.")
    assert listed["inputSchema"]["properties"]["item"] == {
        "description": "What is sold.",
        "type": "string",
    }
    assert listed["inputSchema"]["required"] == ["item"]

    assert called(session, "price", item="apple", count=2) == {
        "content": [{"type": "text", "text": "0.8"}]
    }
    assert called(session, "order", order={"item": "ab", "count": 2})["structuredContent"] == {
        "ordered": "abab"
    }
    failed = called(session, "price", item="pear")
    assert (failed["isError"], text_of(failed)) == (True, "KeyError: 'pear'")
    assert "count" in text_of(called(session, "price", item="apple", count="many"))
    events = [
        (one["type"], one["data"].get("outcome"))
        for one in server.events(session.id)
        if one["type"].startswith("host_tool")
    ]
    assert events[:4] == [("host_tool.called", None), ("host_tool.resolved", "returned")] * 2
    assert session.refresh().pending_requests == 0
    assert [one.type for turn in session.transcript().turns for one in turn.items].count(
        "host_tool"
    ) == 4


def test_functions_are_added_before_the_first_prompt_and_later(client: SandboxAgentSync) -> None:
    session = client.create_session("calling")

    @session.tool
    def first() -> str:
        return "one"

    assert text_of(called(session, "first")) == "one"

    @session.tool(name="second", description="Another.")
    def other(text: str) -> str:
        return text * 2

    assert text_of(called(session, "second", text="ab")) == "abab"
    assert session.refresh().tools == ["first", "second"]
    session.register_tools(Tool(first, name="third"))
    assert text_of(called(session, "third")) == "one"


async def test_async_functions_run_side_by_side_and_keep_their_lease(server: ServerProcess) -> None:
    go_on = asyncio.Event()
    async with SandboxAgent.connect(server.url, token=server.token) as client:

        async def slow() -> str:
            await go_on.wait()
            return "done"

        session = await client.create_session("calling", tools=[slow])
        turn = asyncio.create_task(session.prompt('{"name": "slow", "arguments": {}}'))
        # Longer than the lease, which the client renews.
        await asyncio.sleep(5.0)
        assert not turn.done()
        go_on.set()
        assert "done" in (await turn).text


def test_a_person_is_asked_where_the_function_says_so(client: SandboxAgentSync) -> None:
    session = client.create_session("calling", tools=[Tool(price, approve="ask")])
    asked: list[str] = []

    def decide(request: Any) -> None:
        asked.append(request.title)
        if len(asked) == 1:
            request.deny()
        else:
            request.allow_always()

    session.on_permission(decide)
    assert "not allowed" in text_of(called(session, "price", item="apple"))
    assert text_of(called(session, "price", item="apple")) == "0.4"
    assert text_of(called(session, "price", item="apple")) == "0.4"
    assert asked == ["price(item='apple')"] * 2


def test_rules_and_modes_hold_for_functions(client: SandboxAgentSync) -> None:
    rule = {"action": "deny", "toolName": "mcp__host__price", "name": "no prices"}
    session = client.create_session("calling", tools=[price], permission_policy={"rules": [rule]})
    assert "'no prices' denies it" in text_of(called(session, "price", item="apple"))
    session = client.create_session(
        "calling", mode="read-only", tools=[price, Tool(price, name="look", read_only=True)]
    )
    assert "read-only" in text_of(called(session, "price", item="apple"))
    assert text_of(called(session, "look", item="apple")) == "0.4"


def test_a_client_that_is_gone_is_told_within_its_lease(
    server: ServerProcess, client: SandboxAgentSync
) -> None:
    with SandboxAgentSync.connect(server.url, token=server.token) as gone:
        session_id = gone.create_session("calling", tools=[price]).id
    told = called(client.get_session(session_id), "price", item="apple")
    assert told["isError"]
    assert "No client offers" in text_of(told)
    (resolved,) = server.events(session_id, "host_tool.resolved")
    assert (resolved["data"]["outcome"], resolved["data"]["decidedBy"]) == ("failed", "timeout")


def test_another_client_takes_over_and_answers_what_waits(
    server: ServerProcess, client: SandboxAgentSync
) -> None:
    with SandboxAgentSync.connect(server.url, token=server.token) as gone:
        session_id = gone.create_session("calling", tools=[price]).id
    taken = client.resume_session(session_id, tools=[price])
    assert text_of(called(taken, "price", item="apple")) == "0.4"


def test_a_call_ends_with_its_turn(client: SandboxAgentSync, server: ServerProcess) -> None:
    go_on = threading.Event()
    session = client.create_session("calling", tools=[Tool(lambda: go_on.wait(30), name="slow")])
    turn = threading.Thread(target=session.prompt, args=('{"name": "slow", "arguments": {}}',))
    turn.start()
    until(lambda: server.events(session.id, "host_tool.called"))
    session.end()
    turn.join(timeout=30)
    go_on.set()
    (resolved,) = server.events(session.id, "host_tool.resolved")
    assert resolved["data"]["outcome"] == "cancelled"


def test_only_the_server_asks_for_functions_and_only_their_client_answers(
    client: SandboxAgentSync, server: ServerProcess, ask: Callable[..., httpx.Response]
) -> None:
    session = client.create_session("calling", tools=[price])
    assert json.loads(session.prompt('"sneak"').text)["code"] == -32601
    assert server.events(session.id, "host_tool.called") == []
    wrong = ask(f"/v1/sessions/{session.id}/tools/req_none", {"client": "another", "content": []})
    assert wrong.status_code == 409
    for body in (
        {"client": "c", "tools": [{"name": "no name"}]},
        {"client": "c", "tools": [{"name": "a"}, {"name": "a"}]},
        {"tools": []},
    ):
        assert ask(f"/v1/sessions/{session.id}/tools", body).status_code == 400
    token = client.create_token("somebody", ["prompt"]).token
    assert (
        ask(f"/v1/sessions/{session.id}/tools", {"client": "c", "tools": []}, token).status_code
        == 403
    )


def test_what_is_no_function_for_agents_is_refused(client: SandboxAgentSync) -> None:
    def anything(*things: int) -> None: ...

    with pytest.raises(TypeError, match="names"):
        Tool(anything)
    with pytest.raises(InvalidRequest, match="name"):
        Tool(price, name="no name")
    with pytest.raises(InvalidRequest, match="Two tools"):
        client.create_session("calling", tools=[price, price])
    server = {"name": "host", "command": "x", "args": [], "env": []}
    with pytest.raises(InvalidRequest, match="host"):
        client.create_session("calling", tools=[price], mcp_servers=[server])
    with pytest.raises(OperationNotSupported):
        client.create_session("pi", tools=[price])


@pytest.fixture
def ask(server: ServerProcess) -> Callable[..., httpx.Response]:
    def ask(path: str, body: Any, token: str | None = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {token or server.token}"}
        return httpx.post(server.url + path, headers=headers, json=body, timeout=30)

    return ask


def test_requests_that_the_api_has_no_call_for_reach_the_agent(client: SandboxAgentSync) -> None:
    session = client.create_session("calling")
    asked = session.request("session/weather", {"where": "here"})
    assert asked == {"asked": {"sessionId": "calling", "where": "here"}}
    with pytest.raises(InvalidRequest, match="POST …/prompt"):
        session.request("session/prompt", {"prompt": []})
    with pytest.raises(InvalidRequest, match="mode"):
        session.request("session/set_mode", {"modeId": "bypass"})
    mock = client.create_session("mock")
    with pytest.raises(AgentError):
        mock.request("session/weather")
