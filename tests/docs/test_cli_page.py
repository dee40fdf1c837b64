"""docs/cli.md and the command line say the same: all commands, all options, and nothing that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client.cli.main import app
from sandbox_agent_server.cli.main import main as server
from typer.main import get_command

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
EVERYWHERE = "Options of most commands"
LIKE_RUN = {"chat", "sessions"}
"""What `run` takes and these do too is said once, of `run`."""
# A program of ours is not meant by `sandbox-agent-server`.
LINE = re.compile(r"(?<![\w/])sandbox-agent(?![-\w/])([^\n`]*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")

Path_ = tuple[str, ...]


def _commands(command: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    yield path, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from _commands(sub, (*path, name))


COMMANDS = dict(_commands(get_command(app)))
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", PAGE, re.M))


def _names(command: Any) -> list[list[str]]:
    """The long names of each of its options, which are several of a switch that has an opposite."""
    options = [one for one in command.params if one.param_type_name == "option"]
    return [[n for n in (*o.opts, *o.secondary_opts) if n.startswith("--")] for o in options]


def _path_of(words: str) -> Path_:
    """The command that a line begins with, as far as its words name one."""
    path: Path_ = ()
    for word in words.split():
        if (*path, word) not in COMMANDS:
            break
        path = (*path, word)
    return path


@cache
def _of_server() -> frozenset[str]:
    """What `server start` and `server run` hand on."""
    with redirect_stdout(StringIO()) as text, pytest.raises(SystemExit):
        server(["--help"])
    return frozenset(OPTION.findall(text.getvalue()))


def _known_to(path: Path_) -> set[str]:
    """The options of a command and of those in it; of a server in the background also that server's."""
    known = {
        name
        for at, command in COMMANDS.items()
        if at[: len(path)] == path
        for names in _names(command)
        for name in names
    }
    if path[:1] == ("server",):
        known |= _of_server()
    return known | {"--help"}


def _mentioned() -> set[Path_]:
    return {_path_of(found[1]) for found in LINE.finditer(PAGE)}


@pytest.mark.parametrize(
    "path", [at for at, one in COMMANDS.items() if not hasattr(one, "commands")], ids=" ".join
)
def test_every_command_and_each_of_its_options_is_documented(path: Path_) -> None:
    assert path in _mentioned(), f"docs/cli.md has no `sandbox-agent {' '.join(path)}`"
    told = (
        SECTIONS[path[0]] + SECTIONS[EVERYWHERE] + (SECTIONS["run"] if path[0] in LIKE_RUN else "")
    )
    said = set(OPTION.findall(told))
    missing = [names for names in _names(COMMANDS[path]) if names and not said & set(names)]
    assert not missing, f"its section in docs/cli.md says nothing of {missing}"


def test_every_command_line_that_is_shown_can_be_typed() -> None:
    for found in LINE.finditer(PAGE):
        line, words = found[0], found[1].split()
        path = _path_of(found[1])
        rest = words[len(path) :]
        if hasattr(COMMANDS[path], "commands") and rest:
            assert not rest[0].isidentifier() or rest[0].isupper() or not path, line
        unknown = set(OPTION.findall(found[1])) - _known_to(path)
        assert not unknown, f"{line!r} has {unknown}"


@pytest.mark.parametrize("title", [title for title in SECTIONS if (title,) in COMMANDS])
def test_a_section_names_only_options_of_its_commands(title: str) -> None:
    known = _known_to((title,)) | (_known_to(("run",)) if title in LIKE_RUN else set())
    known |= set(OPTION.findall(SECTIONS[EVERYWHERE]))
    for found in LINE.finditer(SECTIONS[title]):
        known |= _known_to(_path_of(found[1])[:1] or (title,))
    assert not set(OPTION.findall(SECTIONS[title])) - known
