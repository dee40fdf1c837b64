"""How an agent is opened, and how it gets its memory back: natively, else as well as can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sandbox_agent_core.errors import AgentAuthRequired, AgentError, AgentProcessExited
from sandbox_agent_core.frames.jsonrpc import METHOD_NOT_FOUND
from sandbox_agent_server.agents.runner.handshake import Handshake

SERVER = {"name": "db", "command": "db", "env": [{"name": "DB_KEY", "value": "secret"}]}
LOADS = {"loadSession": True}
RESUMES = {"sessionCapabilities": {"resume": {}}}


class Agent:
    """Asked by the handshake; its answers are results, or errors to raise."""

    def __init__(self, capabilities: Any = None, **answers: Any) -> None:
        hello = {"protocolVersion": 1, "agentCapabilities": capabilities}
        self.answers = {"initialize": hello, "new": {"sessionId": "new"}} | answers
        self.asked: list[tuple[str, Any, Any]] = []
        self.replaying: list[bool] = []

    async def ask(self, method: str, params: Any, logged: Any) -> Any:
        self.asked.append((method.removeprefix("session/"), params, logged))
        answer = self.answers[method.removeprefix("session/")]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def methods(self) -> list[str]:
        return [method for method, _params, _logged in self.asked]

    @property
    def handshake(self) -> Callable[..., Handshake]:
        def make(**more: Any) -> Handshake:
            settings: dict[str, Any] = {
                "cwd": "/work", "mcp_servers": [SERVER], "meta": {}, "client_version": "1",
                "on_replay": self.replaying.append,
            }  # fmt: skip
            return Handshake(self.ask, **(settings | more))

        return make


async def test_a_new_session_is_opened_with_workspace_and_servers() -> None:
    agent = Agent({"loadSession": True})
    agent.answers["initialize"]["agentInfo"] = {"name": "a", "version": "2"}

    opened = await agent.handshake(meta={"systemPrompt": "Be brief."}).open(None)

    assert agent.methods == ["initialize", "new"]
    assert (opened.agent_session_id, opened.is_native) == ("new", False)
    assert opened.agent_info == {"name": "a", "version": "2"}
    assert opened.capabilities == {"loadSession": True}
    assert opened.session == {"sessionId": "new"}
    assert agent.asked[1][1] == {
        "cwd": "/work", "mcpServers": [SERVER], "_meta": {"systemPrompt": "Be brief."},
    }  # fmt: skip


async def test_the_log_gets_the_servers_without_their_keys() -> None:
    agent = Agent()

    await agent.handshake().open(None)

    _method, params, logged = agent.asked[1]
    assert params["mcpServers"] == [SERVER]
    assert logged["mcpServers"] == [{**SERVER, "env": [{"name": "DB_KEY", "value": "***"}]}]
    assert "secret" not in repr(logged)


async def test_resuming_is_preferred_since_it_repeats_nothing() -> None:
    agent = Agent({**LOADS, **RESUMES}, resume={"modes": None})

    opened = await agent.handshake().open("old")

    assert agent.methods == ["initialize", "resume"]
    assert agent.asked[1][1]["sessionId"] == "old"
    assert (opened.agent_session_id, opened.is_native, opened.session) == (
        "old", True, {"modes": None},
    )  # fmt: skip
    assert agent.replaying == []


async def test_loading_tells_when_the_history_comes() -> None:
    agent = Agent(LOADS, load={})

    opened = await agent.handshake().open("old")

    assert opened.is_native
    assert agent.methods == ["initialize", "load"]
    assert agent.replaying == [True, False]


async def test_one_that_announces_to_resume_and_cannot_is_asked_to_load() -> None:
    unknown = AgentError("no such method", agentCode=METHOD_NOT_FOUND)
    agent = Agent({**LOADS, **RESUMES}, resume=unknown, load={})

    assert (await agent.handshake().open("old")).is_native
    assert agent.methods == ["initialize", "resume", "load"]


@pytest.mark.parametrize(
    ("capabilities", "answers", "asked"),
    [
        (None, {}, ["initialize", "new"]),
        ("nonsense", {}, ["initialize", "new"]),
        (LOADS, {"load": AgentError("it is gone")}, ["initialize", "load", "new"]),
        (RESUMES, {"resume": AgentError("it is gone")}, ["initialize", "resume", "new"]),
        (
            {**LOADS, **RESUMES},
            {"resume": AgentError("it is gone", agentCode=-32000)},
            ["initialize", "resume", "new"],
        ),
        (LOADS, {"load": AgentAuthRequired("log in")}, ["initialize", "load", "new"]),
    ],
)
async def test_one_that_forgot_gets_a_new_session_and_it_is_said_why(
    capabilities: Any, answers: dict[str, Any], asked: list[str]
) -> None:
    agent = Agent(capabilities, **answers)

    opened = await agent.handshake().open("old")

    assert agent.methods == asked
    assert (opened.agent_session_id, opened.is_native) == ("new", False)
    assert opened.why_not_native in (
        "the agent cannot load earlier sessions",
        "it is gone",
        "log in",
    )
    assert agent.replaying in ([], [True, False])


async def test_the_end_of_the_process_is_no_reason_to_go_on() -> None:
    agent = Agent(LOADS, load=AgentProcessExited("gone"))

    with pytest.raises(AgentProcessExited):
        await agent.handshake().open("old")

    assert agent.methods == ["initialize", "load"]
    assert agent.replaying == [True, False]


async def test_without_credentials_a_person_is_told_what_to_do() -> None:
    agent = Agent(new=AgentAuthRequired("no login."))
    agent.answers["initialize"]["authMethods"] = [{"id": "key"}, {"name": "Log in"}, "nonsense"]

    with pytest.raises(
        AgentAuthRequired, match=r"no login\. Run `a login`\. It knows: key, Log in\."
    ):
        await agent.handshake(login_hint="Run `a login`.").open(None)
    with pytest.raises(AgentAuthRequired, match="Set its API key") as caught:
        await agent.handshake().open(None)

    assert caught.value.details["authMethods"] == ["key", "Log in"]


@pytest.mark.parametrize("answer", [None, "x", {"sessionId": 7}])
async def test_an_agent_that_names_no_session_is_taken_as_it_is(answer: Any) -> None:
    opened = await Agent(initialize=answer, new=answer).handshake().open(None)

    assert (opened.agent_session_id, opened.agent_info, opened.capabilities) == (None, None, {})
