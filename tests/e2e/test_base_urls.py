"""`baseUrl` of a session: its model requests go there, also after a restart; what is impossible is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.fixtures import claude_env
from support.scripted_llm import ScriptedLLM
from support.server import ServerProcess

MakeServer = Callable[..., ServerProcess]

NOWHERE = "http://127.0.0.1:9"


def create(server: ServerProcess, **body: Any) -> dict[str, Any]:
    with server.client() as client:
        answer: dict[str, Any] = client.post("/v1/sessions", json=body).json()
    return answer


def test_an_agent_without_a_model_takes_none(server: ServerProcess) -> None:
    for base_url in (NOWHERE, {"anthropic": NOWHERE}):
        refusal = create(server, agent="mock", baseUrl=base_url)
        assert refusal["type"] == "urn:sandbox-agent:error:value_not_supported"
        assert refusal["details"]["offered"] == []


def test_a_provider_that_the_agent_does_not_use_is_refused_with_those_it_does(
    server: ServerProcess,
) -> None:
    refusal = create(server, agent="claude", baseUrl={"anthropic": NOWHERE, "openai": NOWHERE})
    assert refusal["type"] == "urn:sandbox-agent:error:value_not_supported"
    assert refusal["details"]["offered"] == ["anthropic"]
    with server.client() as client:
        assert client.get("/v1/agents/claude").json()["baseUrlProviders"] == ["anthropic"]
        assert client.get("/v1/sessions").json()["sessions"] == []


@pytest.mark.parametrize("base_url", ["nonsense", "http://me:pass-word@gateway", {}, 7])
def test_what_is_no_base_url_is_an_invalid_request(server: ServerProcess, base_url: Any) -> None:
    refusal = create(server, agent="claude", baseUrl=base_url)
    assert refusal["type"] == "urn:sandbox-agent:error:invalid_request"
    assert "pass-word" not in json.dumps(refusal)


@pytest.mark.real_agent
@pytest.mark.parametrize("is_mapping", [False, True])
def test_requests_go_to_the_base_url_over_the_environment_and_after_a_restart(
    make_server: MakeServer,
    claude_binary: Path,
    scripted_llm: ScriptedLLM,
    tmp_path: Path,
    is_mapping: bool,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    config = f"[agents.claude]\ncommand = {json.dumps([str(claude_binary)])}\n"
    server = make_server(config=config).start()
    env = claude_env(home, scripted_llm) | {"ANTHROPIC_BASE_URL": NOWHERE}
    base_url = {"anthropic": scripted_llm.url} if is_mapping else scripted_llm.url

    info = create(server, agent="claude", cwd=str(tmp_path), env=env, baseUrl=base_url)
    assert info["baseUrl"] == base_url
    session_id = info["id"]
    assert server.prompt(session_id, "SCENARIO:text")["stopReason"] == "end_turn"

    server.kill()
    server.start()
    before = len(scripted_llm.requests)
    with server.client() as client:
        resumed = client.post(f"/v1/sessions/{session_id}/resume", json={"env": env}).json()
    assert resumed["baseUrl"] == base_url
    assert server.prompt(session_id, "SCENARIO:text")["stopReason"] == "end_turn"
    assert len(scripted_llm.requests) > before


@pytest.mark.real_agent
def test_a_gateway_may_have_models_that_the_agent_does_not_know(
    make_server: MakeServer, claude_binary: Path, scripted_llm: ScriptedLLM, tmp_path: Path
) -> None:
    env = claude_env(tmp_path, scripted_llm)
    del env["ANTHROPIC_BASE_URL"]
    env["PATH"] = f"{claude_binary.parent}:{env['PATH']}"
    server = make_server(env=env).start()
    wanted = {"agent": "claude", "cwd": str(tmp_path), "model": "house/large"}

    made = create(server, **wanted, baseUrl=scripted_llm.url)
    server.prompt(made["id"], "SCENARIO:text")

    models = {
        request.body["model"] for request in scripted_llm.requests if request.scenario == "text"
    }
    assert models == {"house/large"}
