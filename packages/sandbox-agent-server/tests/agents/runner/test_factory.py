"""Whoever asks about an agent is told what a session would get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import UnsupportedAgent, ValueNotSupported
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.agents.runner.factory import AgentFactory
from sandbox_agent_server.settings import Settings


def make(factory: AgentFactory, **more: Any) -> None:
    given: dict[str, Any] = {"session_id": "ses_1", "cwd": Path("/work"), "env": {}}
    factory.make("acme", **(given | {"on_process": lambda _pid: None} | more))


def test_what_is_described_is_what_a_session_gets(
    acme: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", "the-value")
    monkeypatch.setenv("OTHER_KEY", "key")
    factory = acme.factory(agents={"acme": {"env": {"STAGE": "test"}}}, inherit_env=False)

    described = factory.describe("acme", {"MORE": "1"})
    make(factory, env={"MORE": "1"})

    assert described.environment == acme.contexts[0].env == acme.found_in[0]
    given = {name: described.environment.get(name) for name in ("ACME_KEY", "STAGE", "MORE")}
    assert given == {"ACME_KEY": "the-value", "STAGE": "test", "MORE": "1"}
    assert "OTHER_KEY" not in described.environment
    assert "the-value" not in repr(described)


def test_a_program_is_looked_for_where_the_configuration_says(tmp_path: Path) -> None:
    program = tmp_path / "gemini"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    settings = Settings.model_validate(
        {"agents": {"gemini": {"env": {"PATH": str(tmp_path)}}}, "agents_dir": tmp_path / "none"}
    )
    factory = AgentFactory(settings, Catalog(settings.agents))

    described = factory.describe("gemini")

    assert described.is_installed
    assert described.info().installed
    assert described.info().path == str(program)
    assert described.installation == factory.find("gemini")
    assert not factory.wants_installation("gemini", {})
    # A session's own PATH wins.
    assert factory.wants_installation("gemini", {"PATH": "/nowhere"})


def test_one_that_is_not_there_says_how_to_get_it(acme: Any) -> None:
    acme.program.unlink()
    factory = acme.factory()

    info = factory.describe("acme").info()

    assert (info.installed, info.path, info.install_hint) == (False, None, "Buy it.")
    assert factory.wants_installation("acme", {})


def test_no_installation_changes_what_the_configuration_runs() -> None:
    settings = Settings.model_validate({"agents": {"mine": {"command": ["no-such-program"]}}})
    factory = AgentFactory(settings, Catalog(settings.agents))

    described = factory.describe("mine")

    assert not described.is_installed
    assert not factory.wants_installation("mine", {})


def test_looking_for_a_broken_plug_in_finds_nothing(acme: Any) -> None:
    acme.program = None
    factory = acme.factory()

    assert factory.describe("acme").installation is None


def test_another_program_in_its_place_is_another(acme: Any) -> None:
    factory = acme.factory()
    before = factory.describe("acme").program
    assert factory.describe("acme").program == before

    acme.program.write_text("new", encoding="utf-8")
    assert factory.describe("acme").program != before
    acme.program.unlink()
    assert factory.describe("acme").program is None


def test_a_base_url_gets_to_the_agent_in_its_own_variable(acme: Any) -> None:
    factory = acme.factory()

    make(factory, base_url="http://gateway", env={"ACME_URL": "http://other"})
    make(factory, base_url={"acme": "http://gateway"})

    assert [context.env["ACME_URL"] for context in acme.contexts] == ["http://gateway"] * 2
    described = factory.describe("acme", base_url="http://gateway")
    assert described.environment["ACME_URL"] == "http://gateway"
    with pytest.raises(ValueNotSupported, match="acme"):
        make(factory, base_url={"openai": "http://gateway"})


def test_an_agent_that_there_is_not(acme: Any) -> None:
    factory = acme.factory()
    for ask in (factory.describe, factory.find, factory.definition):
        with pytest.raises(UnsupportedAgent, match="acme"):
            ask("acmee")
