"""`sandbox-agent sessions …` and `requests …`: whole, alike, and by any name. In this process, which is quicker."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import Endpoint, SandboxAgentSync, SessionSync, SqliteTranscriptStore
from sandbox_agent_client.cli import main, names
from sandbox_agent_client.cli.exit_codes import ExitCode
from sandbox_agent_client.cli.local_sessions import at_work, run_of
from sandbox_agent_client.cli.main import app
from sandbox_agent_client.errors import InvalidRequest
from support.server import until
from terminal import DEADLINE_S, PROGRAM
from typer.main import get_command
from typer.testing import CliRunner, Result

Run = Callable[..., Result]


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[SandboxAgentSync]:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        yield client


@pytest.fixture
def session(client: SandboxAgentSync) -> SessionSync:
    made = client.create_session("mock")
    made.rename(f"Wombats of {made.id}")
    return made


@pytest.fixture
def at(at_server: dict[str, str]) -> Run:
    """A command at the server of the tests."""
    return lambda *arguments, **env: CliRunner().invoke(app, arguments, env=at_server | env)


@pytest.fixture
def here(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command without a server, with what programs keep that are started in that environment."""
    kept = Path(environment["XDG_DATA_HOME"]) / "sandbox-agent"
    monkeypatch.setenv("SANDBOX_AGENT_DATA_DIR", str(kept))
    return lambda *arguments: CliRunner().invoke(app, arguments, env=environment)


def fine(done: Result) -> str:
    assert done.exit_code == 0, done.output
    return done.stdout


# -- names


def test_a_session_goes_by_its_id_the_beginning_of_it_and_its_title(
    at: Run, session: SessionSync
) -> None:
    for name in (session.id, session.id[:-2], session.id[4:-2], f"wombats OF {session.id}"):
        assert fine(at("sessions", "rename", name, f"Wombats of {session.id}")) == ""
        assert session.id in fine(at("sessions", "show", name))


def test_the_beginning_of_several_ids_is_refused_with_all_of_them() -> None:
    known = ["ses_1abc1", "ses_1abc2", "other"]

    def by(name: str) -> str | None:
        return names.find(name, known, what="sessions", ids=lambda one: (one,))

    assert by("ses_1abc2") == by("1abc2") == "ses_1abc2"
    assert by("oth") == "other"
    assert by("ot") is by("ses_") is by("") is None
    with pytest.raises(InvalidRequest, match="ses_1abc1, ses_1abc2"):
        by("ses_1ab")


def test_a_session_that_is_not_there_is_not_made_in_silence(
    at: Run, session: SessionSync, client: SandboxAgentSync
) -> None:
    typo = f"{session.id[:-1]}~"
    done = at("run", "--agent", "mock", "--session", typo, "hi")
    assert done.exit_code == ExitCode.USAGE
    assert f"Did you mean '{session.id}'?" in done.stderr
    unknown = at("run", "--agent", "mock", "--session", "ticket-4711", "hi")
    assert unknown.exit_code == ExitCode.USAGE
    assert "`--create` makes it" in unknown.stderr
    assert client.list_sessions(limit=1)[0].id == session.id
    made = ("run", "--agent", "mock", "--session", f"t-{session.id}", "--create", "hi")
    assert fine(at(*made)) == fine(at(*made)) == "You said: hi\n"


# -- looking


def test_a_watch_shows_the_turn_that_runs_and_what_it_asks(at: Run, session: SessionSync) -> None:
    session.steer("permission")
    (request,) = _waiting(session)
    session.respond(request.id, reply="once")
    done = at("sessions", "watch", session.id, "--until-idle", "--after", "0")
    fine(done)
    assert "> permission" in done.stderr
    assert f"sandbox-agent requests allow {request.id}" in done.stderr
    assert "I ran touch" in done.stdout
    lines = fine(at("sessions", "watch", session.id, "--until-idle", "--after", "0", "--json"))
    assert json.loads(lines.splitlines()[-1])["sessionId"] == session.id


def test_a_watch_leaves_with_the_session(at: Run, session: SessionSync) -> None:
    session.prompt("text")
    session.end()
    assert "the session has ended" in at("sessions", "watch", session.id, "--after", "0").stderr


def test_a_session_goes_by_its_first_prompt_and_is_found_by_words_of_it(
    at: Run, client: SandboxAgentSync
) -> None:
    session = client.create_session("mock")
    session.prompt(f"Shear the\n  alpacas of {session.id}")
    session.prompt("text")
    assert f"Shear the alpacas of {session.id}" in fine(at("sessions", "list"))
    (found,) = fine(
        at("sessions", "list", "--search", f"ALPACAS {session.id}", "--json")
    ).splitlines()
    assert json.loads(found)["firstPrompt"] == f"Shear the alpacas of {session.id}"
    assert "No session has 'no such words'" in fine(
        at("sessions", "list", "--search", "no such words")
    )


def test_the_turns_of_a_session_are_listed(at: Run, session: SessionSync) -> None:
    assert fine(at("sessions", "turns", session.id)) == "No turns yet.\n"
    session.prompt("text")
    session.prompt("refusal")
    turns = session.turns()
    _, first, second = fine(at("sessions", "turns", session.id)).splitlines()
    assert first.split()[0] == turns[0].id
    assert re.search(rf"refusal +{turns[1].seq} +refusal$", second)
    (last,) = fine(at("sessions", "turns", session.id, "--tail", "1", "--json")).splitlines()
    assert json.loads(last)["stopReason"] == "refusal"


def test_the_last_events_are_shown_in_order(at: Run, session: SessionSync) -> None:
    session.prompt("text")
    everything = fine(at("sessions", "events", session.id, "--json")).splitlines()
    tail = fine(at("sessions", "events", session.id, "--tail", "3", "--json"))
    assert tail.splitlines() == everything[-3:]


def test_what_is_kept_here_is_listed_searched_and_shown_alike(
    here: Run, tmp_path: Path, endpoint: Endpoint
) -> None:
    store = tmp_path / "kept.db"
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token, persistence=store) as client:
        session = client.create_session("mock", metadata={"herd": "south"})
        session.prompt("Shear the alpacas")
        session.prompt("refusal")
        turns = [
            turn.model_dump(mode="json", by_alias=True, exclude_none=True)
            for turn in session.turns()
        ]

    def lines(command: str, *arguments: str) -> list[Any]:
        done = here("sessions", command, *arguments, "--store", str(store), "--json")
        return [json.loads(line) for line in fine(done).splitlines()]

    (row,) = lines("list", "--search", "alpacas herd:SOUTH mock")
    assert (row["id"], row["firstPrompt"]) == (session.id, "Shear the alpacas")
    assert lines("list", "--search", "alpacas north") == []
    assert lines("turns", session.id) == turns
    assert lines("turns", session.id, "--tail", "1") == turns[1:]
    assert lines("events", session.id, "--tail", "2") == lines("events", session.id)[-2:]


# -- steering


def test_a_session_is_prompted_answered_and_ended(at: Run, session: SessionSync) -> None:
    assert fine(at("sessions", "prompt", session.id, "hello")) == "You said: hello\n"
    assert at("sessions", "prompt", session.id, "refusal").exit_code == ExitCode.STOPPED

    session.steer("permission")
    _waiting(session)
    assert "answer allow, always or deny" in at("sessions", "respond", session.id, "red").stderr
    assert fine(at("sessions", "respond", session.id, "deny", "-m", "not now")).startswith("reject")
    _idle(session)
    nothing = at("sessions", "respond", session.id, "allow")
    assert nothing.exit_code == ExitCode.USAGE
    assert "Nothing waits" in nothing.stderr

    session.steer("question")
    _waiting(session)
    assert "has 2 questions" in at("sessions", "respond", session.id, "red").stderr
    assert fine(at("sessions", "respond", session.id, "red", "1,dots")).startswith("answered: ")
    _idle(session)
    said = fine(at("sessions", "show", session.id))
    assert "'extras': ['Stripes', 'Dots']" in said

    assert f"ended {session.id}" in at("sessions", "end", session.id).stderr
    assert session.refresh().status == "ended"


def test_what_waits_is_listed_over_sessions_and_answered_by_its_id(
    at: Run, session: SessionSync, client: SandboxAgentSync
) -> None:
    other = client.create_session("mock")
    for one in (session, other):
        one.steer("permission")
    first, second = (_waiting(one)[0] for one in (session, other))
    rows = fine(at("requests")).splitlines()
    for request, of in ((first, session), (second, other)):
        (row,) = [row for row in rows if row.startswith(request.id)]
        assert row.split()[1:3] == [of.id, "mock"]
        assert "touch allowed.txt" in row
    wire = [json.loads(line) for line in fine(at("requests", "list", "--json")).splitlines()]
    assert {first.id, second.id} <= {one["id"] for one in wire}
    assert {session.id, other.id} <= {one["sessionId"] for one in wire}
    several = at("requests", "allow")
    assert several.exit_code == ExitCode.USAGE
    assert first.id in several.stderr
    assert "allow once" in at("requests", "allow", first.id[:-2]).stderr
    assert "reject once" in at("requests", "deny", second.id, "--message", "no").stderr
    assert at("requests", "allow", first.id).exit_code == ExitCode.USAGE
    for one in (session, other):
        _idle(one)
        client.delete_session(one.id)


def test_what_waits_is_watched_as_it_comes(
    at: Run, session: SessionSync, client: SandboxAgentSync, at_server: dict[str, str]
) -> None:
    session.steer("permission")
    first = _waiting(session)[0]
    other = client.create_session("mock")
    watch = [*PROGRAM, "requests", "watch", "--json"]
    with subprocess.Popen(watch, env=at_server, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = (json.loads(line) for line in process.stdout)
        assert next(one for one in told if one["id"] == first.id)["agent"] == "mock"
        turn = fine(at("sessions", "prompt", "--no-wait", other.id, "permission")).strip()
        late = next(one for one in told if one["sessionId"] == other.id)
        assert (late["turnId"], late["agent"]) == (turn, "mock")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=DEADLINE_S) == ExitCode.CANCELLED
    for one in (session, other):
        client.delete_session(one.id)


def test_a_prompt_is_left_to_the_server(at: Run, session: SessionSync, here: Run) -> None:
    prompt = ("sessions", "prompt", session.id, "--no-wait", "--max-turns", "2", "work 9 1")
    result = session.turn(fine(at(*prompt)).strip()).result()
    assert result.limit == "max_turns"
    ids = json.loads(fine(at("sessions", "prompt", session.id, "--no-wait", "--json", "hi")))
    assert ids["sessionId"] == session.id
    assert session.turn(ids["turnId"]).result().text == "You said: hi"
    assert at("sessions", "prompt", session.id, "--no-wait", "-y", "hi").exit_code == 2
    assert "server start" in here("sessions", "prompt", session.id, "--no-wait", "hi").stderr


def test_without_a_server_nothing_waits(here: Run) -> None:
    assert "Nothing waits" in fine(here("requests"))
    assert "server start" in here("requests", "allow", "req_1").stderr


# -- in a store


def test_a_session_of_a_store_goes_on_in_a_new_sandbox(at: Run, here: Run, tmp_path: Path) -> None:
    kept = ("--store", str(tmp_path / "kept.db"))
    work = ("run", "--agent", "mock", *kept, "--session")
    name = f"kept-{tmp_path.name}"
    assert here(*work, name, "hi").exit_code == ExitCode.FAILED  # there is no such store
    assert fine(at(*work, name, "--create", "hi")) == "You said: hi\n"
    assert fine(here(*work, "kept-", "again")) == "You said: again\n"
    shown = fine(here("sessions", "show", name, *kept))
    assert "You said: hi" in shown
    assert "You said: again" in shown
    assert "kept-" not in fine(here("sessions", "list"))
    assert here(*work, "other", "hi").exit_code == ExitCode.USAGE


# -- on this machine


def test_sessions_of_this_machine_are_steered_alike(here: Run) -> None:
    fine(here("run", "--agent", "mock", "--session", "mine", "--create", "hi"))
    assert fine(here("sessions", "prompt", "min", "again")) == "You said: again\n"
    assert fine(here("sessions", "cancel", "mine")) == "Nothing was running.\n"
    watched = fine(here("sessions", "watch", "mine", "--until-idle", "--after", "0"))
    assert watched == "You said: hi\nYou said: again\n"
    assert here("sessions", "end", "mine").stderr == "ended mine\n"
    (row,) = fine(here("sessions", "list", "--json")).splitlines()
    assert json.loads(row)["status"] == "ended"
    assert "made by `run` on this machine" not in here("sessions", "steer", "mine", "x").stderr


def test_a_run_of_another_terminal_is_cancelled_as_by_ctrl_c(
    here: Run, environment: dict[str, str]
) -> None:
    run = ("run", "--agent", "mock", "--session", "long", "--create", "slow 60")
    program = str(Path(sys.executable).parent / "sandbox-agent")
    with subprocess.Popen(
        [program, *run], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == "0"  # it counts
        rows = fine(here("sessions", "list", "--json"))
        assert json.loads(rows)["status"] == "running", rows
        refused = here("sessions", "prompt", "long", "more")
        assert f"in process {process.pid}" in refused.stderr
        assert f"process {process.pid}" in fine(here("sessions", "cancel", "long"))
        _, said = process.communicate(timeout=30)
    assert process.returncode == ExitCode.CANCELLED
    assert "cancelling the turn" in said


def test_who_runs_a_session_is_known_while_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_AGENT_DATA_DIR", str(tmp_path))
    assert run_of("one") is None
    with at_work("one"):
        assert run_of("one") == os.getpid()
    assert run_of("one") is None


def test_a_store_of_ones_own_is_read(here: Run, client: SandboxAgentSync, tmp_path: Path) -> None:
    file = tmp_path / "mine.db"
    endpoint = (client.base_url, client.token)
    store = SqliteTranscriptStore(file)
    with SandboxAgentSync.connect(endpoint[0], token=endpoint[1], persistence=store) as recording:
        made = recording.create_session("mock")
        made.prompt("kept")
    asyncio.run(store.close())
    given = ("--store", str(file))
    assert json.loads(fine(here("sessions", "list", *given, "--json")))["id"] == made.id
    assert "You said: kept" in fine(here("sessions", "show", made.id[:-1], *given))
    assert "turn.ended" in fine(here("sessions", "events", made.id, *given))
    url = ("--store", f"sqlite:{file}")
    hit = json.loads(fine(here("sessions", "search", "SAID", "kept", *url, "--json")))
    assert (hit["id"], hit["excerpt"]) == (made.id, "You said: kept")
    assert made.id in fine(here("sessions", "search", "kept", *given))
    assert "Nothing" in fine(here("sessions", "search", "nowhere", *given))
    assert "1, 0 of them ended" in fine(here("store", "status", *given))
    assert "deleted 0" in fine(here("store", "prune", "--older-than", "30d", "-y", *given))
    assert here("store", "prune", "--older-than", "soon", *given).exit_code == ExitCode.USAGE
    fine(here("sessions", "delete", made.id, "-y", *given))
    assert fine(here("sessions", "list", *given)) == "No sessions yet.\n"
    missing = here("sessions", "list", "--store", str(tmp_path / "other.db"))
    assert missing.exit_code == ExitCode.FAILED
    assert not (tmp_path / "other.db").exists()


# -- the rest


def test_a_wrong_token_is_not_an_absent_server(at: Run) -> None:
    assert at("sessions", "list", SANDBOX_AGENT_TOKEN="wrong").exit_code == ExitCode.TOKEN
    gone = at("sessions", "list", SANDBOX_AGENT_URL="http://127.0.0.1:1")
    assert gone.exit_code == ExitCode.SANDBOX
    assert at("sessions", "list", SANDBOX_AGENT_URL="127.0.0.1:1").exit_code == ExitCode.USAGE


def _commands(group: object = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    command = get_command(main.app) if group is None else group
    yield path
    for name, sub in getattr(command, "commands", {}).items():
        yield from _commands(sub, (*path, name))


def test_every_command_explains_itself_and_no_flag_has_a_type(here: Run) -> None:
    # The help of `server run` is the server's, which takes the place of this process.
    for path in set(_commands()) - {("server", "run")}:
        text = fine(here(*path, "--help"))
        assert not re.search(r"<(bool|str)>", text), path
        assert "{" not in text.split("\n\n")[0], path


def _waiting(session: SessionSync) -> list[Any]:
    """What it asks, when it does."""
    until(session.requests)
    return session.requests()


def _idle(session: SessionSync) -> None:
    until(lambda: session.refresh().status == "idle")
