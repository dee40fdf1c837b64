"""`sandbox-agent cp`, as a person types it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sandbox_agent_client.cli.main import app
from terminal import Terminal
from typer.testing import CliRunner

Cp = Callable[..., Result]


@pytest.fixture
def cp(at_server: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cp:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, sent: bytes = b"") -> Result:
        return CliRunner().invoke(app, ["cp", *arguments], input=sent, env=at_server)

    return run


def test_files_and_directories_go_both_ways(cp: Cp, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    (tmp_path / "tree/d").mkdir(parents=True)
    (tmp_path / "tree/d/a").write_text("a")
    assert cp("tree", f":{remote}/new").exit_code == 0
    assert (remote / "new/d/a").read_text() == "a"
    done = cp("tree", f":{remote}/new")
    assert (done.exit_code, done.output) == (0, "")
    assert (remote / "new/tree/d/a").read_text() == "a"
    assert cp("tree/.", f":{remote}/new").exit_code == 0
    assert cp("tree/d/a", f":{remote}/").exit_code == 0
    assert (remote / "a").read_text() == "a"
    (tmp_path / "here").mkdir()
    assert cp(f":{remote}/new", "here").exit_code == 0
    assert (tmp_path / "here/new/tree/d/a").read_text() == "a"
    assert cp(f":{remote}/a", "b").exit_code == 0
    assert (tmp_path / "b").read_text() == "a"


def test_a_dash_is_stdin_or_stdout(cp: Cp, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    assert cp("-", f":{tmp_path}/piped", sent=content).exit_code == 0
    assert (tmp_path / "piped").read_bytes() == content
    assert cp(f":{tmp_path}/piped", "-").stdout_bytes == content


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("a", "b"), "one of the two is in a sandbox"),
        ((":a", ":b"), "one of the two is in a sandbox"),
        (("nothing", ":b"), "nothing"),
        ((":/nothing/here", "b"), "/nothing/here"),
        (("no-such-box:/a", "b", "--provider", "local"), "no sandbox"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(cp: Cp, arguments: tuple[str, ...], says: str) -> None:
    done = cp(*arguments)
    assert done.exit_code != 0
    text = re.sub(r"[│\s]+", " ", done.output)
    assert says in text
    assert "Traceback" not in text


def test_a_terminal_sees_how_far_it_is(
    at_server: dict[str, str], tmp_path: Path, terminals: list[Terminal]
) -> None:
    (tmp_path / "big").write_bytes(b"x" * 50_000_000)
    terminal = Terminal(at_server, "cp", f"{tmp_path}/big", f":{tmp_path}/copy")
    terminals.append(terminal)
    terminal.wait_for("50.0/50.0 MB")
    assert terminal.end() == 0
