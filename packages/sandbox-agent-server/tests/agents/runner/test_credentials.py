"""What is said of an agent has whether it will find something to log in with."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from sandbox_agent_core.api.agents import AgentInfo
from sandbox_agent_core.credentials import (
    CREDENTIAL_SOURCES,
    AgentSources,
    Discovery,
    FileSource,
    Folder,
    Stored,
    Variable,
)
from sandbox_agent_core.spi.agent import AgentDefinition
from sandbox_agent_server.agents.acp.definition import acp_definition
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.agents.runner.factory import (
    MAX_LOGIN_FILE_BYTES,
    AgentFactory,
    find_credentials,
)
from sandbox_agent_server.runtime.environment import build_environment
from sandbox_agent_server.settings import Settings

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


def info_of(agent: str) -> AgentInfo:
    settings = Settings.model_validate({"agents": {"mine": {"command": ["mine"]}}})
    info = AgentFactory(settings, Catalog(settings.agents)).describe(agent).info()
    assert KEY not in info.model_dump_json()
    return info


def log_in(home: Path, expires_ms: int) -> str:
    file = home / ".claude" / ".credentials.json"
    file.parent.mkdir()
    login = {"accessToken": KEY, "expiresAt": expires_ms}
    file.write_text(json.dumps({"claudeAiOauth": login}), encoding="utf-8")
    return str(file)


@pytest.mark.usefixtures("home")
def test_nothing_is_found_where_nothing_is() -> None:
    assert info_of("claude").credentials_available is False
    assert info_of("claude").credentials == []


@pytest.mark.usefixtures("home")
def test_a_key_in_the_environment_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)

    info = info_of("claude")

    assert info.credentials_available is True
    (found,) = info.credentials
    assert found.source == "$ANTHROPIC_API_KEY"
    assert (found.provider, found.kind, found.expired) == ("anthropic", "api_key", False)


def test_a_login_is_found_with_its_time(home: Path) -> None:
    path = log_in(home, 4_000_000_000_000)

    info = info_of("claude")

    assert info.credentials_available is True
    (found,) = info.credentials
    assert (found.source, found.expires_at) == (path, "2096-10-02T07:06:40.000Z")


def test_an_expired_login_is_told_and_is_none(home: Path) -> None:
    log_in(home, 1_000_000_000_000)

    info = info_of("claude")

    assert info.credentials_available is False
    (found,) = info.credentials
    assert found.expired is True
    assert "log in again" in (found.problem or "")


def test_a_broken_login_file_is_told(home: Path) -> None:
    (home / ".claude.json").write_text("{" + KEY, encoding="utf-8")

    info = info_of("claude")

    assert info.credentials_available is False
    assert [found.problem for found in info.credentials] == ["it is not JSON"]


@pytest.mark.usefixtures("home")
def test_a_key_that_the_agent_will_not_be_given_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert info_of("claude").credentials_available is False


@pytest.mark.usefixtures("home")
def test_an_agent_that_needs_none_has_them_and_of_an_unknown_one_nothing_is_known() -> None:
    assert info_of("mock").credentials_available is True
    assert info_of("mine").credentials_available is None


def definition(name: str, sources: AgentSources | None = None) -> AgentDefinition:
    made = acp_definition(name, name, command=[name], install_hint="")
    return dataclasses.replace(made, credentials=sources)


def find(agent: AgentDefinition, env: Mapping[str, str]) -> Discovery:
    found = find_credentials(agent, env)
    assert found is not None
    return found


def test_a_plug_in_brings_where_its_credentials_are(tmp_path: Path) -> None:
    def read(text: str) -> list[Stored]:
        return [Stored(provider="acme", kind="api_key", value=text.strip())]

    acme = AgentSources(
        variables=(Variable("ACME_KEY", "acme"),),
        files=(FileSource(Folder(".acme"), "key", read),),
    )
    (tmp_path / ".acme").mkdir()
    (tmp_path / ".acme" / "key").write_text(KEY + "\n", encoding="utf-8")

    found = find(definition("acme", acme), {"HOME": str(tmp_path), "ACME_KEY": "other"})

    sources = [credential.source for credential in found.credentials]
    assert sources == ["$ACME_KEY", str(tmp_path / ".acme/key")]
    assert find_credentials(definition("acme"), {}) is None


def test_what_the_definition_says_wins_over_the_table() -> None:
    own = AgentSources(variables=(Variable("MY_CLAUDE_KEY", "anthropic"),))

    found = find(definition("claude", own), {"ANTHROPIC_API_KEY": KEY, "MY_CLAUDE_KEY": KEY})

    assert [credential.source for credential in found.credentials] == ["$MY_CLAUDE_KEY"]


def test_a_pipe_in_the_place_of_a_login_file_does_not_hold_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".claude.json")
    found = find(definition("claude"), {"HOME": str(tmp_path)})
    assert found.credentials == found.problems == ()


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / ".claude.json"
    with file.open("wb") as opened:
        opened.truncate(MAX_LOGIN_FILE_BYTES + 1)
    found = find(definition("claude"), {"HOME": str(tmp_path)})
    assert [problem.source for problem in found.problems] == [str(file)]
    assert found.credentials == ()


@pytest.mark.parametrize("agent", sorted(CREDENTIAL_SOURCES.keys() & set(Catalog().names())))
def test_an_agent_is_given_its_keys_and_addresses_from_the_environment(agent: str) -> None:
    definition = Catalog().get(agent)
    wanted = {CREDENTIAL_SOURCES[agent].variables[0].name, *definition.base_url_env.values()}
    env = build_environment(dict.fromkeys(wanted, "x"), env_names=definition.env_names)
    assert wanted <= env.keys()
