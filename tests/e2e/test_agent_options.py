"""What a session asks of one agent alone: checked, allowed or not, kept, and shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_agent_client import (
    AgentOptionForbidden,
    AgentOptionsInvalid,
    MockOptions,
    PermissionDenied,
    SandboxAgentSync,
    SessionCreated,
    SessionSync,
)
from support.server import ServerProcess

MakeServer = Callable[..., ServerProcess]

_ONLY_TRUSTED = '[agents.mock]\nallowed_options = ["trusted"]'


def _connect(server: ServerProcess) -> SandboxAgentSync:
    return SandboxAgentSync.connect(base_url=server.url, token=server.token)


def _said(session: SessionSync) -> str:
    return session.prompt("hello").text


def test_a_model_and_its_fields_are_the_same_and_are_in_the_log(make_server: MakeServer) -> None:
    server = make_server().start()
    with _connect(server) as client:
        given = MockOptions(reply="At your service."), {"reply": "At your service."}
        for options in given:
            session = client.create_session("mock", agent_options=options)

            assert _said(session) == "At your service."
            assert session.info.agent_options == {"reply": "At your service."}
            created = next(iter(session.events(after=0)))
            assert isinstance(created, SessionCreated)
            assert created.agent_options == {"reply": "At your service."}
        assert client.create_session("mock").info.agent_options == {}


def test_they_hold_when_the_session_goes_on_on_another_server(make_server: MakeServer) -> None:
    server = make_server().start()
    with _connect(server) as client:
        session = client.create_session("mock", agent_options=MockOptions(reply="Still here."))
    server.kill()
    server.start()

    with _connect(server) as client:
        assert _said(client.resume_session(session.id)) == "Still here."


def test_what_is_wrong_is_refused_all_at_once_with_what_there_is(make_server: MakeServer) -> None:
    server = make_server().start()
    with _connect(server) as client:
        with pytest.raises(AgentOptionsInvalid) as refusal:
            client.create_session("mock", agent_options={"replay": "x", "trusted": "perhaps"})

        problems = {each["option"]: each["problem"] for each in refusal.value.details["problems"]}
        assert problems.keys() == {"replay", "trusted"}
        assert "did you mean `reply`" in problems["replay"]
        assert refusal.value.details["known"] == ["reply", "trusted"]
        assert client.list_sessions() == []


def test_an_agent_that_is_a_command_takes_none(make_server: MakeServer) -> None:
    command = [sys.executable, "-m", "sandbox_agent_server.agents.mock"]
    server = make_server(config=f"[agents.mine]\ncommand = {json.dumps(command)}").start()
    with _connect(server) as client:
        with pytest.raises(AgentOptionsInvalid) as refusal:
            client.create_session("mine", agent_options={"reply": "x"})

        assert refusal.value.details["known"] == []
        assert client.get_agent("mine", config=False).agent_options_schema is None


@pytest.mark.parametrize(
    ("config", "allowed", "refused"),
    [
        ("", ["reply"], {"trusted": True}),
        (_ONLY_TRUSTED, ["trusted"], {"reply": "x"}),
        ("[agents.mock]\nallowed_options = []", [], {"reply": "x"}),
    ],
)
def test_the_server_says_which_it_takes_and_what_loosens_something_only_if_it_is_listed(
    make_server: MakeServer, config: str, allowed: list[str], refused: dict[str, object]
) -> None:
    server = make_server(config=config).start()
    with _connect(server) as client:
        with pytest.raises(AgentOptionForbidden) as refusal:
            client.create_session("mock", agent_options=refused)

        assert refusal.value.details["allowed"] == allowed
        info = client.get_agent("mock", config=False)
        assert info.allowed_agent_options == allowed
        assert info.agent_options_schema is not None
        assert info.agent_options_schema["properties"]["trusted"]["risky"] is True
        assert "risky" not in info.agent_options_schema["properties"]["reply"]


def test_one_that_is_no_longer_taken_keeps_its_session_from_starting(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, config=_ONLY_TRUSTED).start()
    try:
        with _connect(server) as client:
            session = client.create_session("mock", agent_options=MockOptions(trusted=True))
            session.prompt("permission")
            assert session.requests(status="all") == []
        server.stop()
        server = ServerProcess(tmp_path).start()

        with _connect(server) as client:
            for _ in range(2):  # and it is not stuck in its start
                with pytest.raises(AgentOptionForbidden):
                    client.resume_session(session.id)
            assert client.get_session(session.id).info.status == "dormant"
    finally:
        server.kill()


def test_a_session_with_options_takes_no_agent_that_was_opened_without(
    make_server: MakeServer,
) -> None:
    server = make_server(arguments=["--warm", "mock"]).start()
    with _connect(server) as client:
        client.create_session("mock")  # the pool is at work

        assert _said(client.create_session("mock", agent_options={"reply": "Mine."})) == "Mine."


def test_who_may_not_answer_may_not_set_what_answers(make_server: MakeServer) -> None:
    server = make_server().start()
    with _connect(server) as client:
        token = client.create_token("ci", ["prompt"]).token
    with (
        SandboxAgentSync.connect(base_url=server.url, token=token) as client,
        pytest.raises(PermissionDenied),
    ):
        client.create_session("mock", agent_options={"reply": "x"})
