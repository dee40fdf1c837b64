"""The command line as a person and a script use it: real processes and terminals where those are the point."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import Endpoint, SandboxAgentSync
from sandbox_agent_client.cli.exit_codes import ExitCode
from sandbox_agent_client.cli.main import app
from terminal import DEADLINE_S, PROGRAM, Terminal
from typer.testing import CliRunner


def cli(
    environment: dict[str, str], *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """In this process, which spares a second of each command; in that environment and no other."""
    given: dict[str, str | None] = {**dict.fromkeys(os.environ), **environment}
    with chdir(cwd or Path.cwd()):
        done = CliRunner().invoke(app, arguments, env=given)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def program(
    environment: dict[str, str], *arguments: str, input: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=environment,
        input=input,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_version_is_told(environment: dict[str, str]) -> None:
    done = program(environment, "--version")
    assert re.fullmatch(r"sandbox-agent \d+\.\d+\.\d+\S*\n", done.stdout)


def test_help_tells_what_the_exit_status_means(environment: dict[str, str]) -> None:
    text = " ".join(cli(environment, "run", "--help").stdout.split())
    for code in ExitCode:
        assert f" {code.value} " in text.replace(";", " ")


def test_a_run_is_kept_and_can_be_looked_at_and_gone_on_with(
    environment: dict[str, str], tmp_path: Path
) -> None:
    assert cli(environment, "sessions", "list").stdout == "No sessions yet.\n"
    done = program(environment, "run", "--agent", "mock", "tool", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Let me look.\n● ls")
    assert "✔ ls" in done.stdout
    assert "end_turn" in done.stderr
    (row,) = json_lines(cli(environment, "sessions", "list", "--json").stdout)
    assert (row["agent"], row["status"], row["cwd"]) == ("mock", "dormant", str(tmp_path))
    narrow = cli(environment | {"COLUMNS": "40"}, "sessions", "list").stdout.splitlines()[1]
    id, agent, status, _, directory, title = re.split(" {2,}", narrow)
    # A line for each, however narrow: nothing is cut that somebody may copy or pipe.
    assert (id, agent, status, directory) == (row["id"], "mock", "dormant", str(tmp_path))
    assert title == "tool"
    shown = cli(environment, "sessions", "show", row["id"]).stdout
    assert "> tool" in shown
    assert "● ls" in shown
    again = cli(environment, "run", "--session", row["id"], "go on")
    assert again.returncode == 0, again.stderr
    assert again.stdout == "You said: go on\n"
    transcript = json.loads(cli(environment, "sessions", "show", row["id"], "--json").stdout)
    assert len([turn for turn in transcript["turns"] if "prompt" in turn]) == 2
    events = json_lines(
        cli(environment, "sessions", "events", row["id"], "--json", "--no-deltas").stdout
    )
    assert events[0]["type"] == "session.created"
    assert "message.delta" not in [event["type"] for event in events]
    text = cli(
        environment, "sessions", "events", row["id"], "--after", str(events[0]["seq"])
    ).stdout
    assert "session.created" not in text
    assert "turn.ended" in text


def test_options_of_a_run_are_the_providers(environment: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text("log_level = 'no-such-level'")
    done = cli(environment, "run", "-o", f"config={config}", "--agent", "mock", "text")
    assert done.returncode == 5
    assert "log_level" in done.stderr
    done = cli(environment, "run", "--option", "colour=red", "--agent", "mock", "text")
    assert done.returncode == 2
    assert "no option `colour`" in done.stderr
    done = cli(environment, "run", "--wheelhouse", str(tmp_path), "--agent", "mock", "text")
    assert done.returncode == 2
    assert "no wheels" in done.stderr


def test_runs_at_the_same_time_do_not_meet(environment: dict[str, str]) -> None:
    runs = [
        subprocess.Popen(
            [*PROGRAM, "run", "--agent", "mock", f"number {number}"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    said = [run.communicate(timeout=DEADLINE_S)[0] for run in runs]
    assert said == [f"You said: number {number}\n" for number in range(3)]
    assert len(json_lines(cli(environment, "sessions", "list", "--json").stdout)) == 3


def test_json_is_one_event_per_line_and_nothing_else(environment: dict[str, str]) -> None:
    done = program(environment, "run", "--agent", "mock", "--json", "tool")
    events = json_lines(done.stdout)
    assert events[0]["type"] == "turn.started"
    assert events[-1]["type"] == "turn.ended"
    assert {"seq", "id", "sessionId", "time", "type", "turnId", "sender", "data"} == set(events[0])
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("hello", ExitCode.OK),
        ("refusal", ExitCode.STOPPED),
        ("max-tokens", ExitCode.STOPPED),
        ("error", ExitCode.AGENT),
        ("crash", ExitCode.AGENT),
        ("permission", ExitCode.DENIED),
    ],
)
def test_the_exit_status_says_how_the_turn_ended(
    at_server: dict[str, str], prompt: str, code: ExitCode
) -> None:
    done = cli(at_server, "run", "--agent", "mock", prompt)
    assert done.returncode == code, done.stderr


def test_options_of_the_agent_are_values_or_json(at_server: dict[str, str]) -> None:
    for given in ("reply=At your service.", '{"reply": "At your service."}'):
        done = cli(at_server, "run", "--agent", "mock", "--agent-option", given, "hi")
        assert done.stdout == "At your service.\n", done.stderr


def test_other_directories_stay_with_the_session(
    at_server: dict[str, str], endpoint: Endpoint, tmp_path: Path
) -> None:
    run = ["run", "--agent", "mock", "--session", "ses_wide", "--create", "hi", "--add-dir"]
    assert cli(at_server, *run, str(tmp_path)).returncode == 0
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        info = client.get_session("ses_wide").info
        assert info.additional_directories == [str(tmp_path)]

    assert cli(at_server, *run, str(tmp_path)).returncode == 0
    other = cli(at_server, *run, "/")
    assert other.returncode == ExitCode.USAGE
    assert "other directories" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "--agent", "no-such-agent", "hi"], ExitCode.USAGE, "no-such-agent"),
        (["run", "--agent", "mock", "--mode", "no-such", "hi"], ExitCode.USAGE, "no-such"),
        (["run", "--session", "../etc", "--create", "hi"], ExitCode.USAGE, "not a session id"),
        (["run", "--sandbox", "local", "--url", "http://x", "hi"], ExitCode.USAGE, "--sandbox"),
        (["run", "--url", "nonsense", "hi"], ExitCode.USAGE, "http://"),
        (["run", "--env", "NO_SUCH_VARIABLE", "hi"], ExitCode.USAGE, "NO_SUCH_VARIABLE"),
        (
            ["run", "--sandbox", "local", "--cwd", "no-such-dir", "hi"],
            ExitCode.USAGE,
            "no-such-dir",
        ),
        (["run", "--agent", "mock", "--add-dir", "no/such", "hi"], ExitCode.USAGE, "no/such"),
        (["run", "--agent", "mock", "--agent-option", "x", "hi"], ExitCode.USAGE, "KEY=VALUE"),
        (["run", "--agent", "mock", "--agent-option", "{x", "hi"], ExitCode.USAGE, "JSON"),
        (["run", "--agent", "mock", "--agent-option", "replay=1", "hi"], ExitCode.USAGE, "`reply`"),
        (["run"], ExitCode.USAGE, "PROMPT"),
        (["run", "--agent", "mock", ""], ExitCode.USAGE, "empty"),
        (["run", "--sandbox", "no-such-place", "hi"], ExitCode.SANDBOX, "no-such-place"),
        (["run", "--url", "http://127.0.0.1:1", "hi"], ExitCode.SANDBOX, "127.0.0.1:1"),
        (["run", "--token-env", "NONE", "hi"], ExitCode.TOKEN, ""),
        (["sessions", "show", "no-such-session"], ExitCode.USAGE, "no-such-session"),
        (["sessions", "events", "no-such-session"], ExitCode.USAGE, "no-such-session"),
        (["sessions", "delete", "-y", "no-such-session"], ExitCode.USAGE, "no-such-session"),
    ],
)
def test_what_cannot_be_done_is_said_on_stderr(
    at_server: dict[str, str], arguments: list[str], code: ExitCode, message: str
) -> None:
    done = cli(at_server, *arguments)
    assert done.returncode == code, done.stderr
    assert message.lower() in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_local_store_without_the_session_says_so(environment: dict[str, str]) -> None:
    done = cli(environment, "sessions", "show", "nothing")
    assert done.returncode == ExitCode.USAGE
    assert "no session" in done.stderr


def test_yes_allows_and_is_on_record(at_server: dict[str, str]) -> None:
    done = cli(at_server, "run", "--agent", "mock", "--yes", "--json", "permission")
    assert done.returncode == 0
    (resolved,) = [
        event for event in json_lines(done.stdout) if event["type"] == "permission.resolved"
    ]
    assert resolved["data"]["optionKind"] == "allow_once"


def test_a_prompt_can_come_from_stdin(at_server: dict[str, str]) -> None:
    assert program(at_server, "run", "--agent", "mock", "-", input="from a pipe").stdout == (
        "You said: from a pipe\n"
    )


def test_sessions_of_a_server_are_listed_and_shown(
    at_server: dict[str, str], endpoint: Endpoint
) -> None:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        session = client.create_session("mock")
        session.prompt("plan")
    rows = json_lines(cli(at_server, "sessions", "list", "--limit", "1", "--json").stdout)
    assert [row["id"] for row in rows] == [session.id]
    assert "> plan" in cli(at_server, "sessions", "show", session.id).stdout
    assert cli(at_server, "sessions", "events", session.id).returncode == 0


def test_a_session_of_this_machine_is_deleted(environment: dict[str, str]) -> None:
    def run(id: str) -> None:
        made = cli(environment, "run", "--agent", "mock", "--session", id, "--create", "hi")
        assert made.returncode == 0

    run("one")
    run("two")
    unasked = cli(environment, "sessions", "delete", "one")
    assert unasked.returncode == ExitCode.USAGE
    assert "--yes" in unasked.stderr
    done = cli(environment, "sessions", "delete", "--yes", "one", "never-there")
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith("deleted one\nsandbox-agent: ")
    assert "never-there" in done.stderr
    assert [
        row["id"] for row in json_lines(cli(environment, "sessions", "list", "--json").stdout)
    ] == ["two"]
    servers = Path(environment["XDG_DATA_HOME"]) / "sandbox-agent" / "cli" / "servers"
    assert [path.name for path in servers.iterdir()] == ["two"]


def test_a_session_that_runs_here_is_not_deleted(
    environment: dict[str, str], terminals: list[Terminal]
) -> None:
    run = ("run", "--agent", "mock", "--session", "s", "--create", "slow 60")
    terminals.append(Terminal(environment, *run))
    terminals[0].wait_for("1 2 3")
    done = cli(environment, "sessions", "delete", "--yes", "s")
    assert done.returncode == ExitCode.FAILED
    assert "is running" in done.stderr


def test_a_session_of_a_server_is_deleted_when_a_person_says_so(
    at_server: dict[str, str], endpoint: Endpoint, terminals: list[Terminal]
) -> None:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        session = client.create_session("mock")
        for answer, code in (("n\n", ExitCode.USAGE), ("y\n", ExitCode.OK)):
            assert not session.refresh().ended_at
            terminals.append(Terminal(at_server, "sessions", "delete", session.id))
            terminals[-1].wait_for(f"Delete {session.id} for good? [y/N]")
            terminals[-1].type(answer)
            assert terminals[-1].end() == code
        assert f"deleted {session.id}" in terminals[-1].text


def test_agents_are_listed(at_server: dict[str, str]) -> None:
    assert "mock" in cli(at_server, "agents").stdout
    rows = json_lines(cli(at_server, "agents", "--json").stdout)
    assert {"id": "mock", "installed": True}.items() <= next(
        row for row in rows if row["id"] == "mock"
    ).items()


def test_a_turn_that_takes_too_long_is_cancelled(at_server: dict[str, str]) -> None:
    done = cli(at_server, "run", "--agent", "mock", "--timeout", "0.3", "slow 60")
    assert done.returncode == ExitCode.TIMEOUT
    assert "cancelled" in done.stderr


def test_a_turn_that_reaches_a_limit_says_which(at_server: dict[str, str]) -> None:
    run = ("run", "--agent", "mock", "--max-turns", "2", "--max-cost", "5")
    done = cli(at_server, *run, "work 9 1")
    assert done.returncode == ExitCode.STOPPED
    assert "max_turns" in done.stderr


def test_a_run_waits_for_the_background_and_shows_it(at_server: dict[str, str]) -> None:
    done = cli(at_server, "run", "--agent", "mock", "background 0.1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("The command in the background is done.\n")
    assert "in the background: sleep 0.1" in done.stderr
    assert "in the background, completed: sleep 0.1" in done.stderr


def test_a_run_can_leave_it_running(at_server: dict[str, str]) -> None:
    done = cli(
        at_server, "run", "--agent", "mock", "--json", "--no-wait-for-background", "background 600"
    )
    assert done.returncode == 0, done.stderr
    told = json_lines(done.stdout)
    assert told[-1]["type"] == "turn.ended"
    session_id = told[0]["sessionId"]
    cli(at_server, "sessions", "delete", session_id, "--yes")


def test_a_run_that_takes_too_long_is_cancelled_with_its_background(
    at_server: dict[str, str],
) -> None:
    done = cli(at_server, "run", "--agent", "mock", "--json", "--timeout", "2", "background 600")
    assert done.returncode == ExitCode.TIMEOUT, done.stderr
    ends = [event["data"] for event in json_lines(done.stdout) if event["type"] == "task.ended"]
    assert [end["status"] for end in ends] == ["stopped"]


def test_a_reader_that_leaves_ends_the_run_quietly(at_server: dict[str, str]) -> None:
    command = " ".join([*PROGRAM, "run", "--agent", "mock", "--json", "'stream 200'"])
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} | head -n 2"],
        env=at_server,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert len(done.stdout.splitlines()) == 2
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_escape_sequences_of_an_agent_do_not_reach_the_terminal(at_server: dict[str, str]) -> None:
    prompt = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J bell\x07 back\x08"
    done = program(at_server, "run", "--agent", "mock", prompt)
    assert done.stdout == "You said: red  2J bell back\n"


def at_terminal(terminals: list[Terminal], environment: dict[str, str], prompt: str) -> Terminal:
    terminals.append(Terminal(environment, "run", "--agent", "mock", prompt))
    return terminals[-1]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("o\n", "I ran touch"),
        ("maybe\nR\nnot now\n", "did not allow it: not now"),
        ("r\n\n", "did not allow it, so"),
        ("\x04", "did not"),
    ],
)
def test_a_person_is_asked_for_permission(
    at_server: dict[str, str], terminals: list[Terminal], answer: str, said: str
) -> None:
    terminal = at_terminal(terminals, at_server, "permission")
    terminal.wait_for("(o)nce, (a)lways, (r)eject?")
    assert "touch allowed.txt" in terminal.text
    terminal.type(answer)
    assert terminal.end() == 0
    assert said in terminal.text


def test_a_person_is_asked_questions(at_server: dict[str, str], terminals: list[Terminal]) -> None:
    terminal = at_terminal(terminals, at_server, "question")
    terminal.wait_for("empty to decline:")
    terminal.type("1\n")
    while terminal.process.poll() is None and terminal.text.count("empty to decline:") < 2:
        terminal._read(0.05)
    terminal.type("1\n")
    assert terminal.end() == 0
    assert "did not want to answer" not in terminal.text


def test_a_question_on_the_screen_is_withdrawn_when_somebody_else_answers(
    at_server: dict[str, str], terminals: list[Terminal], endpoint: Endpoint
) -> None:
    terminal = at_terminal(terminals, at_server, "permission")
    terminal.wait_for("(r)eject?")
    found = re.search(r"session (\S+)", terminal.text)
    assert found is not None
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        session = client.get_session(found[1])
        (request,) = session.requests()
        session.respond(request.id, reply="reject", actor="somebody else")
    assert terminal.end() == 0
    assert "somebody else" in terminal.text


def test_ctrl_c_cancels_the_turn(at_server: dict[str, str], terminals: list[Terminal]) -> None:
    terminal = at_terminal(terminals, at_server, "slow 60")
    terminal.wait_for("1 2 3")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == ExitCode.CANCELLED
    assert "cancelling the turn" in terminal.text
    assert "cancelled" in terminal.text


@pytest.mark.parametrize("prompt", ["permission", "question"])
def test_ctrl_c_while_a_person_is_asked_withdraws_what_was_asked(
    at_server: dict[str, str], terminals: list[Terminal], endpoint: Endpoint, prompt: str
) -> None:
    terminal = at_terminal(terminals, at_server, prompt)
    terminal.wait_for("(r)eject?" if prompt == "permission" else "empty to decline:")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == ExitCode.CANCELLED
    assert "Traceback" not in terminal.text
    assert "withdrawn" in terminal.text
    found = re.search(r"session (\S+)", terminal.text)
    assert found is not None
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        assert client.get_session(found[1]).requests() == []


def test_ctrl_c_twice_leaves_at_once(at_server: dict[str, str], terminals: list[Terminal]) -> None:
    terminal = at_terminal(terminals, at_server, "hang")
    terminal.wait_for("session ")
    time.sleep(0.3)  # nothing tells that the prompt has been sent
    terminal.process.send_signal(signal.SIGINT)
    terminal.wait_for("Ctrl-C again")
    terminal.process.send_signal(signal.SIGINT)
    started = time.monotonic()
    assert terminal.end() == ExitCode.CANCELLED
    assert time.monotonic() - started < 5
    assert "Traceback" not in terminal.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_sandbox_starts_leaves_nothing(
    environment: dict[str, str], terminals: list[Terminal], number: signal.Signals, tmp_path: Path
) -> None:
    terminal = at_terminal(terminals, environment | {"TMPDIR": str(tmp_path)}, "slow 600")
    terminal.wait_for("creating")
    terminal.process.send_signal(number)
    assert terminal.end() == ExitCode.CANCELLED
    assert "Traceback" not in terminal.text
    assert not list(tmp_path.glob("sandbox-agent-*"))


def test_tokens_are_made_listed_and_revoked(at_server: dict[str, str]) -> None:
    made = cli(at_server, "tokens", "create", "ada", "--scope", "answer", "--expires-in", "7d")
    assert "ada may answer, until 20" in made.stderr
    watcher = at_server | {"SANDBOX_AGENT_TOKEN": made.stdout.strip()}
    refused = cli(watcher, "run", "--agent", "mock", "text")
    assert refused.returncode != 0
    assert "takes the scope `prompt`" in refused.stderr
    (row,) = json_lines(cli(at_server, "tokens", "list", "--json").stdout)
    assert (row["actor"], row["scopes"]) == ("ada", ["answer"])
    assert "token" not in row
    assert cli(at_server, "tokens", "revoke", row["id"]).returncode == 0
    assert cli(at_server, "tokens", "list").stdout == "No tokens besides the server's own.\n"


def test_a_token_is_of_a_server_that_is_named(environment: dict[str, str]) -> None:
    assert "--url" in cli(environment, "tokens", "list").stderr


def test_the_package_is_the_command(environment: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "sandbox_agent_client", "--help"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, "sessions" in ran.stdout) == (0, True), ran.stderr
