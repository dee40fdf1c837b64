from __future__ import annotations

import logging
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from sandbox_agent_core.errors import AgentNotInstalled, UnsupportedAgent
from sandbox_agent_core.spi.agent import AgentContext, AgentDefinition
from sandbox_agent_server.agents.acp import acp_definition
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.settings import AgentSettings
from support.scripted_adapter import Sink

GROUP = "sandbox_agent.agents"
PLUGIN = acp_definition("plugin", "Plug-in", command=["plugin"], install_hint="Install it.")
NO_DEFINITION = "just a text"


def catalog(plugins: list[EntryPoint] | None = None, **configured: AgentSettings) -> Catalog:
    return Catalog(configured, plugins=lambda: plugins or [])


def entry_point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> str:
    """A name under which an entry point can import this module."""
    name = "plugin_of_the_catalog_tests"
    monkeypatch.setitem(sys.modules, name, sys.modules[__name__])
    return name


def test_the_built_in_agents_are_there() -> None:
    assert {"claude", "mock"} <= set(Catalog().names())
    assert Catalog().get("mock").name == "mock"


def test_an_unknown_agent_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnsupportedAgent) as caught:
        catalog().get("Mok")
    assert caught.value.details["known"] == catalog().names()
    assert "Did you mean 'mock'?" in str(caught.value)


def test_any_command_can_be_configured_as_an_agent(tmp_path: Path) -> None:
    program = tmp_path / "my-agent"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    agents = catalog(mine=AgentSettings(command=("my-agent", "--acp"), title="My agent"))
    definition = agents.get("mine")
    assert "mine" in agents.names()
    assert (definition.title, definition.command) == ("My agent", ("my-agent", "--acp"))
    found = definition.find({"PATH": str(tmp_path)})
    assert found is not None
    assert found.path == str(program)
    assert definition.find({"PATH": "/nowhere"}) is None
    assert definition.find({}) is None


def test_an_absolute_command_needs_no_path(tmp_path: Path) -> None:
    agents = catalog(
        here=AgentSettings(command=(sys.executable,)),
        gone=AgentSettings(command=(str(tmp_path / "gone"),)),
    )
    assert agents.get("here").find({}) is not None
    assert agents.get("gone").find({}) is None


async def test_configuring_a_known_agent_changes_its_command_and_title(importable: str) -> None:
    agents = Catalog(
        {"probe": AgentSettings(command=("no-such-agent",), title="Other")},
        plugins=lambda: [entry_point("probe", f"{importable}:PLUGIN")],
    )
    definition = agents.get("probe")
    assert (definition.title, definition.command) == ("Other", ("no-such-agent",))
    assert definition.install_hint == PLUGIN.install_hint
    adapter = definition.create(AgentContext(session_id="s", cwd=Path("/"), env={}))
    with pytest.raises(AgentNotInstalled) as caught:
        await adapter.start(Sink())
    assert caught.value.details["program"] == "no-such-agent"


def test_settings_without_a_command_for_an_unknown_agent_are_ignored_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        agents = catalog(typo=AgentSettings(command=None, env={"A": "1"}))
    assert "typo" in caplog.text
    assert "typo" not in agents.names()
    with pytest.raises(UnsupportedAgent):
        agents.get("typo")


def test_a_plug_in_is_an_agent(importable: str) -> None:
    agents = catalog([entry_point("extra", f"{importable}:PLUGIN")])
    assert "extra" in agents.names()
    definition = agents.get("extra")
    assert isinstance(definition, AgentDefinition)
    assert definition.name == "extra"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("broken", "no_such_module_anywhere:DEFINITION"),
        ("broken", "{here}:MISSING"),
        ("broken", "{here}:NO_DEFINITION"),
        ("mock", "{here}:PLUGIN"),
    ],
    ids=["no module", "no attribute", "no definition", "name is taken"],
)
def test_a_bad_plug_in_is_left_out_with_a_warning(
    importable: str, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    agents = catalog([entry_point(name, value.format(here=importable))])
    with caplog.at_level(logging.WARNING):
        assert agents.names() == Catalog(plugins=list).names()
    assert name in caplog.text
    assert agents.get("mock").title == "Mock agent"
