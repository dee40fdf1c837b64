"""The command line with what people and pipes really give it: any bytes, dashes, nothing, and nowhere to write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from sandbox_agent_client.cli.exit_codes import ExitCode
from sandbox_agent_client.cli.main import app
from sandbox_agent_client.cli.plain import last_seen, plain, visible
from sandbox_agent_client.cli.table import print_table
from verbatim_agent import asks

PROGRAM = str(Path(sys.executable).parent / "sandbox-agent")
DEADLINE_S = 30.0
GOOD = [{"optionId": "yes", "name": "Allow", "kind": "allow_once"}]


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        (35, ["id-1  a title that goes on and on", "      below"]),
        (24, ["id-1", "    a title that goes on", "    and on below"]),
    ],
)
def test_prose_of_a_table_breaks_between_words_at_any_width(
    columns: int,
    rows: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    print_table(("id", "title"), [("id-1", "a title that goes on and on below")])
    assert capsys.readouterr().out.splitlines()[1:] == rows


def cli(
    environment: dict[str, str], *arguments: str | bytes, input: bytes = b"", cwd: Any = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [PROGRAM, *arguments],
        env=environment, input=input, cwd=cwd, capture_output=True, timeout=DEADLINE_S,
    )  # fmt: skip
    found = subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )
    assert "Traceback" not in found.stderr
    return found


def run(
    environment: dict[str, str], *arguments: str | bytes, **options: Any
) -> subprocess.CompletedProcess[str]:
    return cli(environment, "run", "--agent", "verbatim", *arguments, **options)


def test_a_diff_that_is_not_utf_8_is_a_prompt(at_server: dict[str, str]) -> None:
    done = run(at_server, "-", input=b"-caf\xe9\n+caf\xc3\xa9 \xff\xfe\0\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "-caf\ufffd\n+café \ufffd\ufffd\n"


def test_an_argument_that_is_not_utf_8_is_a_prompt(at_server: dict[str, str]) -> None:
    done = run(at_server, b"caf\xe9")
    assert (done.returncode, done.stdout) == (0, "caf\ufffd\n")


def test_a_prompt_may_begin_with_a_dash(at_server: dict[str, str]) -> None:
    done = run(at_server, "--yes", "- [ ] todo", "--timeout", "60")
    assert (done.returncode, done.stdout) == (0, "- [ ] todo\n"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "prompt"),
    [
        (["- [ ] todo"], "- [ ] todo"),
        (["-1 is not a prime"], "-1 is not a prime"),
        (["--mend this"], "--mend this"),
        (["- a\n- b", "--yes"], "- a\n- b"),
        (["--", "--yes is wrong"], "--yes is wrong"),
        (["-o", "image=a b", "hi"], "hi"),
        (["-oimage=a b", "--option=c=d e", "hi"], "hi"),
        (["-"], "-"),
    ],
)
def test_what_is_a_prompt_and_what_an_option(arguments: list[str], prompt: str) -> None:
    assert parsed(arguments)["prompt"] == prompt


@pytest.mark.parametrize("arguments", [["--modle", "x", "hi"], ["--yes or no"], ["-x", "hi"]])
def test_a_misspelt_option_is_still_one(arguments: list[str]) -> None:
    with pytest.raises(Exception, match="No such option"):
        parsed(arguments)


def parsed(arguments: list[str]) -> dict[str, Any]:
    command = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    with command.make_context("run", arguments) as context:
        found: dict[str, Any] = context.params
    return found


def test_an_empty_prompt_is_refused_before_there_is_a_sandbox(environment: dict[str, str]) -> None:
    done = cli(environment, "run", "--agent", "mock", "-", input=b" \n")
    assert done.returncode == ExitCode.USAGE
    assert "the prompt is empty" in done.stderr
    assert not Path(environment["XDG_DATA_HOME"]).exists()


def test_a_stdin_that_is_closed_is_said(at_server: dict[str, str]) -> None:
    command = f"{PROGRAM} run --agent mock - <&-"
    done = subprocess.run(
        ["bash", "-c", command], env=at_server, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert done.returncode == ExitCode.USAGE
    assert "stdin" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_directory_whose_name_is_not_utf_8_is_refused(
    environment: dict[str, str], tmp_path: Path
) -> None:
    directory = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(directory)).mkdir()
    done = cli(environment, "run", "--agent", "mock", "hi", cwd=directory)
    assert done.returncode == ExitCode.USAGE
    assert "not UTF-8" in done.stderr


@pytest.mark.parametrize("command", [["run", "--agent", "mock", "hi"], ["agents"]])
def test_a_home_that_is_a_file_is_said_in_a_line(
    environment: dict[str, str], tmp_path: Path, command: list[str]
) -> None:
    home = tmp_path / "file"
    home.touch()
    del environment["XDG_DATA_HOME"]
    done = cli(environment | {"HOME": str(home)}, *command, cwd=tmp_path)
    assert done.returncode in (ExitCode.FAILED, ExitCode.SANDBOX)
    assert str(home) in done.stderr
    assert len(done.stderr.splitlines()) <= 3, done.stderr


def test_a_terminal_of_another_encoding_shows_what_it_can(at_server: dict[str, str]) -> None:
    done = run(at_server | {"PYTHONIOENCODING": "ascii"}, "fox 🦊 ok")
    assert (done.returncode, done.stdout) == (0, "fox ? ok\n")


def test_yes_says_what_it_could_not_allow(at_server: dict[str, str]) -> None:
    script = [
        asks(7, [{"optionId": None, "kind": "allow_once"}], title="touch a"),
        asks(8, GOOD, title="touch b"),
    ]
    done = run(at_server, "--yes", json.dumps(script))
    assert done.returncode == ExitCode.DENIED
    assert "could not be allowed" in done.stderr
    assert "touch a" in done.stderr
    assert "touch b" not in done.stderr
    assert '"yes"' in done.stdout


def test_a_question_that_nobody_could_be_asked_is_in_the_exit_status(
    at_server: dict[str, str],
) -> None:
    done = cli(at_server, "run", "--agent", "mock", "--yes", "question")
    assert done.returncode == ExitCode.DENIED


def test_a_token_is_not_shown(at_server: dict[str, str]) -> None:
    done = cli(at_server | {"SANDBOX_AGENT_TOKEN": "s3cr3t\n"}, "agents")
    assert done.returncode == ExitCode.TOKEN
    assert "s3cr3t" not in done.stderr
    assert "token" in done.stderr


def test_what_a_person_decides_by_hides_nothing() -> None:
    spoof = "echo hi \x1b]0; ; rm -rf / #"
    assert "rm -rf /" in visible(spoof)
    assert "\x1b" not in visible(spoof)
    assert visible("a\x1b[0;rm b\u202e\r") == "a\\x1b[0;rm b\\u202e\\r"
    assert visible("one\r\ntwo\tthree é🦊") == "one\ntwo\tthree é🦊"
    assert "rm -rf /" in plain(spoof)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x\x1b]8;;http://a\x1b\\y", "xy"),
        ("\x1bPdevice\x1b\\x\x1b_app\x1b\\y", "xy"),
        ("10%\r20%\r\ndone\0\x08", "10%\n20%\ndone"),
        ("half \ud83e, \ud83e\udd8a", "half \ufffd, 🦊"),
    ],
)
def test_escape_sequences_are_taken_away(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_of_a_progress_bar_the_end_is_shown() -> None:
    assert last_seen("10%\r50%\r100%\r\nnext\r") == "100%\nnext"
