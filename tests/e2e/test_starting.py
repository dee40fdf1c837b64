"""The command line: help, where settings come from, what is shown and to whom, how it ends."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from sandbox_agent_core.inspector import find_inspector
from sandbox_agent_server.limits import Limits
from support.optional import skip_without
from support.server import DEADLINE_S, ServerProcess, until

PROGRAM = Path(sys.executable).with_name("sandbox-agent-server")
MakeServer = Callable[..., ServerProcess]
CLEAN_ENV = {
    name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_AGENT_")
}


def run(*arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    """To its end; for what does not start to serve."""
    return subprocess.run(
        [PROGRAM, *arguments], capture_output=True, text=True, timeout=DEADLINE_S,
        env={**CLEAN_ENV, **env},
    )  # fmt: skip


class Started:
    def __init__(self, *arguments: str | Path, env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [PROGRAM, "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**CLEAN_ENV, **env},
        )  # fmt: skip
        assert self._process.stdout is not None
        self.announced = ""
        while "  logs " not in self.announced:
            line = self._process.stdout.readline()
            assert line, self.stop()
            self.announced += line
        self.url = self.announced.split("url")[1].split()[0]

    def stop(self) -> str:
        """All that it wrote after the announcement."""
        self._process.send_signal(signal.SIGTERM)
        out, err = self._process.communicate(timeout=DEADLINE_S)
        return out + err

    def status(self, token: str) -> int:
        headers = {"authorization": f"Bearer {token}"}
        return httpx.get(f"{self.url}/v1/health", headers=headers).status_code


Start = Callable[..., Started]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Started] = []

    def start(*arguments: str | Path, **env: str) -> Started:
        directory = tmp_path / f"data-{len(started)}"
        started.append(Started("--data-dir", directory, *arguments, env=env))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_help_names_every_flag_every_limit_and_what_to_type() -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    flags = [
        "--host", "--port", "--token", "--no-token", "--insecure", "--data-dir", "--config",
        "--allow-host", "--cors-origin", "--limit", "--log-level", "--log-format", "--ready-file",
        "--exit-with-parent", "--version", "SANDBOX_AGENT_TOKEN", "[agents.my-agent]", "exit codes",
    ]  # fmt: skip
    for word in (*flags, *Limits.model_fields):
        assert word in done.stdout
    assert run("--version").stdout.startswith("sandbox-agent-server ")


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        (["--port", "many"], {}, ["port"]),
        (["--limit", "max_sesions=3"], {}, ["max_sesions=3", "max_sessions"]),
        (["--limit", "max_sessions"], {}, ["NAME=VALUE"]),
        (["--limit", "stop_grace_s=9"], {}, ["stop_grace_s"]),
        (["--token", "short"], {}, ["token", "8"]),
        (["--no-token", "--host", "127.evil.example"], {}, ["127.evil.example", "--insecure"]),
        (["--token", "long-enough", "--no-token"], {}, ["token", "no_token"]),
        ([], {"SANDBOX_AGENT_PORT": "-1"}, ["port"]),
        ([], {"SANDBOX_AGENT_MAX_SESSIONS": "few"}, ["max_sessions"]),
        ([], {"SANDBOX_AGENT_CONFIG": "/nowhere.toml"}, ["/nowhere.toml", "No such file"]),
    ],
)
def test_a_wrong_setting_is_a_sentence_and_exit_code_2(
    arguments: list[str], env: dict[str, str], words: list[str]
) -> None:
    done = run(*arguments, **env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [("port = ", ["not TOML"]), ("prot = 1", ["prot"]), ("limits = 7", ["limits"]),
     ("[limits]\nmax = 1", ["limits.max"]), ("[agents.a]\ncommand = []", ["agents.a", "empty"]),
     ('[agents.a]\ncommand = "mine --acp"', ["agents.a.command"]), ("agents = 3", ["agents"])],
)  # fmt: skip
def test_a_wrong_configuration_is_a_sentence_too(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text, encoding="utf-8")
    done = run("--config", config)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(
    start: Start, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('token = "of-the-file"\nhost = "127.0.0.3"\n', encoding="utf-8")
    by_file = start("--config", config)
    assert by_file.url.startswith("http://127.0.0.3:")
    assert by_file.status("of-the-file") == 200
    variables = {"SANDBOX_AGENT_TOKEN": "of-the-variable", "SANDBOX_AGENT_HOST": "127.0.0.2"}
    by_variable = start(SANDBOX_AGENT_CONFIG=str(config), **variables)
    assert by_variable.url.startswith("http://127.0.0.2:")
    assert by_variable.status("of-the-variable") == 200
    assert by_variable.status("of-the-file") == 401
    by_flag = start(
        "--config", config, "--token", "of-the-flag", "--host", "127.0.0.1", **variables
    )
    assert by_flag.url.startswith("http://127.0.0.1:")
    assert by_flag.status("of-the-flag") == 200
    assert by_flag.status("of-the-variable") == 401


def test_the_way_in_is_chosen_by_the_last_word_on_it(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("no_token = true\n", encoding="utf-8")
    server = start("--config", config, SANDBOX_AGENT_TOKEN="of-the-variable")
    assert server.status("wrong-token") == 401
    assert server.status("of-the-variable") == 200
    open_to_all = start("--no-token", SANDBOX_AGENT_TOKEN="of-the-variable")
    assert "token      none" in open_to_all.announced
    assert open_to_all.status("wrong-token") == 200


def test_a_limit_comes_from_a_flag_a_variable_or_the_file(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[limits]\nmax_body_bytes = 3000\n", encoding="utf-8")
    for arguments, env, limit in (
        ((), {}, 3000),
        ((), {"SANDBOX_AGENT_MAX_BODY_BYTES": "2000"}, 2000),
        (("--limit", "max_body_bytes=1500"), {"SANDBOX_AGENT_MAX_BODY_BYTES": "2000"}, 1500),
    ):
        server = start("--no-token", "--config", config, *arguments, **env)
        answer = httpx.post(f"{server.url}/v1/sessions", json={"agent": "x" * 5000})
        assert answer.json()["details"]["value"] == limit


def test_a_made_token_is_shown_at_the_start_and_nowhere_else(start: Start) -> None:
    server = start("--log-level", "debug")
    token = server.announced.split("token")[1].split()[0]
    assert len(token) >= 32
    in_a_link = server.announced.count(f"{server.url}/ui/#token={token}\n")
    assert in_a_link == (find_inspector() is not None)
    assert server.announced.count(token) == 1 + in_a_link
    assert server.status(token) == 200
    assert server.status("wrong-token") == 401
    assert token not in server.stop()
    other = start()
    assert token not in other.announced


def test_a_token_that_was_given_is_not_in_the_link(start: Start) -> None:
    server = start(SANDBOX_AGENT_TOKEN="of-the-variable")
    assert "of-the-variable" not in server.announced
    if find_inspector() is None:
        skip_without("the Inspector is not built: make inspector")
    assert f"inspector  {server.url}/ui/ " in server.announced


def test_a_token_by_variable_is_seen_by_nobody(make_server: MakeServer) -> None:
    # Other tests say theirs in commands of their own, at the same time.
    token = secrets.token_urlsafe()
    arguments = ["--log-level", "debug"]
    server = make_server(arguments=arguments, token=token, is_forked=False).start()
    session_id = server.create()
    server.prompt(session_id, "text")
    commands = subprocess.run(["ps", "-eww", "-o", "args="], capture_output=True, text=True).stdout
    assert str(server.data_dir) in commands
    assert token not in commands
    # What an agent could read of the server's own environment, as the same user.
    environment = Path(f"/proc/{server.pid}/environ").read_bytes()
    assert b"PATH=" in environment
    assert token.encode() not in environment
    ready = server.data_dir.parent / "ready.json"
    assert stat.S_IMODE(ready.stat().st_mode) == 0o600
    assert token not in ready.read_text(encoding="utf-8")
    server.stop()
    stored = b"".join(path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file())
    assert token.encode() not in stored
    assert token not in server.log()


def test_the_files_of_the_log_are_its_owners_alone(make_server: MakeServer) -> None:
    server = make_server().start()
    session_id = server.create()
    server.prompt(session_id, "text")
    log = server.data_dir / "sessions" / session_id / "log.jsonl"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in server.data_dir.iterdir()}
    assert {name: mode for name, mode in modes.items() if name.startswith("sandbox-agent.db")} == {
        "sandbox-agent.db": 0o600, "sandbox-agent.db-shm": 0o600, "sandbox-agent.db-wal": 0o600,
    }  # fmt: skip
    assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700


def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("--port", port, "--no-token", "--data-dir", tmp_path / "data")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_not_here_is_a_sentence(tmp_path: Path) -> None:
    done = run("--host", "192.0.2.1", "--port", "0", "--data-dir", tmp_path / "data")
    assert done.returncode == 1
    assert "192.0.2.1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.fault(
    "a second server on the same data", "it is refused, and the first is not disturbed"
)
def test_a_log_has_one_server_at_a_time(make_server: MakeServer) -> None:
    server = make_server().start()
    done = run("--port", "0", "--no-token", "--data-dir", server.data_dir)
    assert done.returncode == 1
    assert str(server.data_dir) in done.stderr
    assert "Traceback" not in done.stderr
    server.kill()
    server.start()
    assert server.create()


@pytest.mark.fault("the data of a newer server", "they are refused and left as they are")
def test_a_log_of_a_newer_server_is_left_alone(make_server: MakeServer) -> None:
    import sqlite3

    server = make_server().start()
    server.stop()
    database = server.data_dir / "sandbox-agent.db"
    with sqlite3.connect(database) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    done = run("--port", "0", "--no-token", "--data-dir", server.data_dir)
    assert done.returncode == 1
    assert "99" in done.stderr
    assert "--data-dir" in done.stderr


def test_the_ready_file_says_where_it_is(make_server: MakeServer) -> None:
    server = make_server(is_forked=False).start()
    ready = json.loads((server.data_dir.parent / "ready.json").read_text(encoding="utf-8"))
    assert set(ready) == {"url", "pid", "version"}
    assert Path(f"/proc/{ready['pid']}").exists()
    assert httpx.get(f"{ready['url']}/v1/health", headers=server.headers).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_leaves_with_the_program_that_started_it(tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "ready.json"
    arguments = [str(PROGRAM), "--port", "0", "--no-token", "--data-dir", str(tmp_path / "data")]
    env = {
        **CLEAN_ENV, "SANDBOX_AGENT_EXIT_WITH_PARENT": "1", "SANDBOX_AGENT_READY_FILE": str(ready),
    }  # fmt: skip
    code = f"import subprocess; subprocess.Popen({arguments!r}).wait()"
    with (tmp_path / "log").open("wb") as log:
        parent = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=log, stderr=log)
    until(ready.exists)
    pid = json.loads(ready.read_text(encoding="utf-8"))["pid"]
    parent.send_signal(number)
    parent.wait(DEADLINE_S)
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_json_lines_are_logged_where_no_person_looks(make_server: MakeServer) -> None:
    server = make_server().start()
    session_id = server.create()
    with server.client() as client:
        answer = client.get(f"/v1/sessions/{session_id}")
    server.stop()
    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    (line,) = (x for x in lines if x.get("request_id") == answer.headers["x-request-id"])
    assert line["session_id"] == session_id
    assert line["message"] == f"GET /v1/sessions/{session_id} 200"
