"""Commands of other packages."""

from __future__ import annotations

import sys
import types
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer
from sandbox_agent_client.cli.plugins import add_plugin_commands
from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.spi.command import GROUP, CommandContext
from typer.testing import CliRunner


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()

    @app.command("mine")
    def mine() -> None:
        typer.echo("the client's own")

    @app.command("another")
    def another() -> None: ...

    return app


def plugin(monkeypatch: pytest.MonkeyPatch, name: str) -> tuple[EntryPoint, list[list[str]]]:
    """One that notes what it was given and ends with 7."""
    given: list[list[str]] = []

    def main(argv: Sequence[str], context: CommandContext) -> int:
        given.append(list(argv))
        assert isinstance(context.wheels(), Sequence)
        with pytest.raises(InvalidRequest):
            context.load_wheelhouse(Path("no-such-wheelhouse"))
        return 7

    module = types.ModuleType("plugin_of_the_test")
    module.main = main  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return EntryPoint(name, f"{module.__name__}:main", GROUP), given


def test_a_plug_in_gets_its_arguments_as_they_are(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    point, given = plugin(monkeypatch, "extra")
    add_plugin_commands(app, [point])
    result = CliRunner().invoke(app, ["extra", "build", "--tag", "x", "--help", "-q"])
    assert result.exit_code == 7
    assert given == [["build", "--tag", "x", "--help", "-q"]]


def test_a_plug_in_cannot_take_the_name_of_a_command(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    point, given = plugin(monkeypatch, "mine")
    add_plugin_commands(app, [point])
    assert "own" in CliRunner().invoke(app, ["mine"]).output
    assert given == []
