"""`GET /v1/agents` says whether an agent will find something to log in with."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_agent_core.credentials import CREDENTIAL_SOURCES
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.agents.credentials import (
    MAX_LOGIN_FILE_BYTES,
    find_credentials,
    read_login_file,
)
from sandbox_agent_server.agents.environment import build_environment
from sandbox_agent_server.app import create_app, open_store
from sandbox_agent_server.settings import load_settings

KEY = "sk-ant-api03-secret-of-the-test"
NAMES = ("ANTHROPIC_", "CLAUDE_", "OPENAI_", "CODEX_")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The server's, without a key or login of the person who runs the tests."""
    for name in [name for name in os.environ if name.startswith(NAMES)]:
        monkeypatch.delenv(name)
    directory = tmp_path / "home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    return directory


@pytest.fixture
async def client(home: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    config = tmp_path / "config.toml"
    config.write_text('[agents.mine]\ncommand = ["mine"]\n', encoding="utf-8")
    settings = load_settings({"data_dir": str(tmp_path / "data"), "no_token": True}, {}, config)
    store = open_store(settings)
    transport = httpx.ASGITransport(create_app(settings, store, token=None))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as connected:
        yield connected
    store.close()


async def claude_of(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/v1/agents/claude")
    assert KEY not in answer.text
    found: dict[str, Any] = answer.json()
    return found


def log_in(home: Path, expires_ms: int, **more: Any) -> str:
    file = home / ".claude" / ".credentials.json"
    file.parent.mkdir()
    login = {"accessToken": KEY, "expiresAt": expires_ms, **more}
    file.write_text(json.dumps({"claudeAiOauth": login}), encoding="utf-8")
    return str(file)


async def test_nothing_is_found_where_nothing_is(client: httpx.AsyncClient) -> None:
    assert (await claude_of(client))["credentialsAvailable"] is False
    assert (await claude_of(client))["credentials"] == []


async def test_a_key_in_the_environment_is_found(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    assert (await claude_of(client))["credentialsAvailable"] is True
    (found,) = (await claude_of(client))["credentials"]
    assert found["source"] == "$ANTHROPIC_API_KEY"
    assert (found["provider"], found["kind"], found["expired"]) == ("anthropic", "api_key", False)


async def test_a_login_is_found_with_its_time(client: httpx.AsyncClient, home: Path) -> None:
    path = log_in(home, 4_000_000_000_000)
    assert (await claude_of(client))["credentialsAvailable"] is True
    (found,) = (await claude_of(client))["credentials"]
    assert (found["source"], found["expiresAt"]) == (path, "2096-10-02T07:06:40.000Z")


async def test_an_expired_login_is_told_and_is_none(client: httpx.AsyncClient, home: Path) -> None:
    log_in(home, 1_000_000_000_000)
    assert (await claude_of(client))["credentialsAvailable"] is False
    (found,) = (await claude_of(client))["credentials"]
    assert found["expired"] is True
    assert "log in again" in found["problem"]


async def test_a_broken_login_file_is_told(client: httpx.AsyncClient, home: Path) -> None:
    (home / ".claude.json").write_text("{" + KEY, encoding="utf-8")
    assert (await claude_of(client))["credentialsAvailable"] is False
    (found,) = (await claude_of(client))["credentials"]
    assert found["problem"] == "it is not JSON"


async def test_a_key_that_the_agent_will_not_be_given_does_not_count(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert (await claude_of(client))["credentialsAvailable"] is False


async def test_an_agent_that_needs_none_has_them_and_of_an_unknown_one_nothing_is_known(
    client: httpx.AsyncClient,
) -> None:
    mock, mine = [(await client.get(f"/v1/agents/{name}")).json() for name in ("mock", "mine")]
    assert mock["credentialsAvailable"] is True
    assert mine.get("credentialsAvailable") is None


def test_a_pipe_in_the_place_of_a_login_file_does_not_hold_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".claude.json")
    found = find_credentials("claude", {"HOME": str(tmp_path)})
    assert found is not None
    assert found.credentials == found.problems == ()


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / ".claude.json"
    with file.open("wb") as opened:
        opened.truncate(MAX_LOGIN_FILE_BYTES + 1)
    with pytest.raises(ValueError, match="larger"):
        read_login_file(str(file))
    found = find_credentials("claude", {"HOME": str(tmp_path)})
    assert found is not None
    assert [problem.source for problem in found.problems] == [str(file)]


@pytest.mark.parametrize("agent", sorted(CREDENTIAL_SOURCES.keys() & set(Catalog().names())))
def test_an_agent_is_given_its_keys_and_addresses_from_the_environment(agent: str) -> None:
    definition = Catalog().get(agent)
    wanted = {CREDENTIAL_SOURCES[agent].variables[0].name, *definition.base_url_env.values()}
    env = build_environment(dict.fromkeys(wanted, "x"), env_names=definition.env_names)
    assert wanted <= env.keys()
