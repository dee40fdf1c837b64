"""Commands and processes through both clients and the command line, at a real server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_agent_client import (
    CommandFailed,
    CommandResult,
    Endpoint,
    InvalidRequest,
    NotADirectory,
    OutputChunk,
    ProcessNotFound,
    ProcessNotRunning,
    ProcessStartFailed,
    SandboxAgent,
    SandboxAgentSync,
    Timeout,
)
from sandbox_agent_client.cli.main import app
from typer.testing import CliRunner

PROGRAM = str(Path(sys.executable).with_name("sandbox-agent"))


async def test_a_command_and_what_it_wrote(client: SandboxAgent, tmp_path: Path) -> None:
    result = await client.processes.run(
        "echo $NAME; pwd; cat; echo no >&2; exit 3",
        cwd=tmp_path,
        env={"NAME": "ada"},
        input="typed",
    )
    assert result.stdout == f"ada\n{tmp_path}\ntyped"
    assert (result.stderr, result.exit_code, result.ok, result.timed_out) == ("no\n", 3, False, False)  # fmt: skip
    with pytest.raises(CommandFailed, match=r"ended with 3: no$") as failed:
        result.check()
    assert failed.value.details["exitCode"] == 3
    plain = await client.processes.run(["echo", "$NAME", "a b"])
    assert (plain.check().stdout, plain.command) == ("$NAME a b\n", "echo $NAME a b")
    raw = await client.processes.run(["printf", r"\377\0"])
    assert (raw.stdout_bytes, raw.stdout) == (b"\xff\0", "\ufffd\0")
    killed = await client.processes.run("kill -9 $$")
    assert (killed.exit_code, killed.signal) == (None, "SIGKILL")
    late = await client.processes.run("sleep 600", timeout=0.05)
    with pytest.raises(CommandFailed, match="took longer than 0"):
        late.check()


async def test_what_cannot_be_run_says_why(client: SandboxAgent, tmp_path: Path) -> None:
    for command in ("", " ", [], [""]):
        with pytest.raises(InvalidRequest, match="empty"):
            await client.processes.run(command)
    with pytest.raises(ProcessStartFailed, match="no program 'nosuch'"):
        await client.processes.run(["nosuch"])
    with pytest.raises(NotADirectory):
        await client.processes.spawn("true", cwd="/etc/hostname")
    with pytest.raises(InvalidRequest, match="NUL"):
        await client.processes.run(["a\0b"])
    with pytest.raises(TypeError, match="one argument, a chunk"):
        await client.processes.run("true", on_output=lambda: None)  # type: ignore[misc,arg-type]


async def test_output_is_told_as_it_comes_and_is_whole_in_the_result(client: SandboxAgent) -> None:
    told: list[OutputChunk] = []

    async def on_output(chunk: OutputChunk) -> None:
        told.append(chunk)

    result = await client.processes.run(
        "printf '\\303'; sleep 0.2; printf '\\244'; echo no >&2; cat",
        on_output=on_output,
        input="x" * 200_000,
    )
    out = [chunk.text for chunk in told if chunk.stream == "stdout"]
    assert "".join(out) == result.stdout == "ä" + "x" * 200_000
    assert [chunk.text for chunk in told if chunk.stream == "stderr"] == ["no\n"]
    assert (result.exit_code, result.stdout_truncated) == (0, False)
    assert result.duration_s > 0.1
    cut = await client.processes.run("seq 100000", on_output=told.append, max_output_bytes=10)
    assert (cut.stdout, cut.stdout_truncated) == ("1\n2\n3\n4\n5\n", True)
    assert not await client.processes.list(), "a command leaves no process behind"


async def test_a_callback_that_fails_and_who_leaves_end_the_command(client: SandboxAgent) -> None:
    def fail(chunk: OutputChunk) -> None:
        raise ValueError(chunk.text)

    with pytest.raises(ValueError, match="begun"):
        await client.processes.run("echo begun; sleep 600", on_output=fail)
    assert not await client.processes.list()
    begun = asyncio.Event()
    running = asyncio.create_task(
        client.processes.run("echo begun; sleep 600", on_output=lambda _chunk: begun.set())
    )
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not await client.processes.list()


async def test_a_process_from_its_start_to_its_end(client: SandboxAgent) -> None:
    async with await client.processes.spawn(["cat"]) as process:
        assert process.is_running
        await process.write("one ")
        await process.write(b"two")
        with pytest.raises(Timeout):
            await process.wait(timeout=0.01)
        again = await client.processes.get(process.id)
        assert again.pid == process.pid
        await again.close_stdin()
        info = await process.wait(timeout=30)
        assert (info.exit_code, process.exit_code, process.is_running) == (0, 0, False)
        assert "".join([chunk.text async for chunk in process.logs()]) == "one two"
        assert [chunk.text async for chunk in process.logs(since=10)] == []
        with pytest.raises(ProcessNotRunning):
            await process.write("late")
        await again.close_stdin()
        await process.delete()
        with pytest.raises(ProcessNotFound):
            await process.refresh()
    async with await client.processes.spawn("sleep 600") as left:
        pass
    assert (left.is_running, left.info.signal) == (False, "SIGTERM")
    await left.delete()


async def test_a_log_is_followed_and_read_in_part(client: SandboxAgent) -> None:
    async with await client.processes.spawn(
        "echo a; read x; echo b >&2; read x; echo c"
    ) as process:
        text = ""
        async for chunk in process.logs(follow=True):
            text += chunk.text
            if chunk.text in ("a\n", "b\n"):
                await process.write("\n")
        assert text == "a\nb\nc\n"
        assert process.exit_code == 0
        assert [c.text async for c in process.logs(stream="stderr")] == ["b\n"]
        assert [c.text async for c in process.logs(tail=1)] == ["c\n"]
    await process.delete()


async def test_a_process_on_a_terminal(client: SandboxAgent) -> None:
    command = "stty size; read x; stty size"
    async with await client.processes.spawn(command, tty=True, cols=90, rows=20) as process:
        text = ""
        async for chunk in process.logs(follow=True):
            text += chunk.text
            if text.endswith("20 90\r\n"):
                await process.resize(cols=100, rows=30)
                await process.write("\r")
        assert text.endswith("30 100\r\n")
    await process.delete()


async def test_bounds_can_be_changed(client: SandboxAgent) -> None:
    before = await client.processes.config()
    try:
        now = await client.processes.set_config(max_output_bytes=5)
        assert now.max_output_bytes == 5
        result = await client.processes.run("echo 123456789")
        assert (result.stdout, result.stdout_truncated) == ("12345", True)
        with pytest.raises(InvalidRequest, match="there is no `max_output`"):
            await client.processes.set_config(max_output=5)
    finally:
        await client.processes.set_config(max_output_bytes=before.max_output_bytes)


def test_the_same_without_async(endpoint: Endpoint) -> None:
    with SandboxAgentSync.connect(endpoint.url, token=endpoint.token) as client:
        result: CommandResult = client.processes.run("cat; exit 1", input="hello")
        assert (result.stdout, result.exit_code) == ("hello", 1)
        told: list[str] = []
        client.processes.run("cat", input="hello", on_output=lambda chunk: told.append(chunk.text))
        assert told == ["hello"]
        with client.processes.spawn(["cat"]) as process:
            process.write("hi")
            process.close_stdin()
            assert "".join(chunk.text for chunk in process.logs(follow=True)) == "hi"
            assert process.wait().exit_code == 0
        process.delete()


def program(
    env: dict[str, str], *words: str, input: bytes | None = None
) -> tuple[int, bytes, bytes]:
    done = subprocess.run([PROGRAM, *words], env=env, input=input, capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def cli(env: dict[str, str], *words: str) -> tuple[int, str, str]:
    """In this process, which is faster than one of its own."""
    done = CliRunner().invoke(app, words, env=env)
    return done.exit_code, done.stdout, done.stderr


def test_exec_is_the_command_here(at_server: dict[str, str], tmp_path: Path) -> None:
    data = os.urandom(300_000)
    line = "cat; pwd >&2; echo $A $1 >&2; exit 7"
    words = ["exec", "--cwd", str(tmp_path), "--env", "A=b", "sh", "-c", line, "x", "--url"]
    told = f"{tmp_path}\nb --url\n".encode()
    assert program(at_server, *words, input=data) == (7, data, told)


def test_ctrl_c_stops_what_exec_runs(at_server: dict[str, str]) -> None:
    running = subprocess.Popen(
        [PROGRAM, "exec", "trap 'echo bye; exit 0' TERM; echo begun; while :; do sleep 0.1; done"],
        env=at_server, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == b"begun\n"
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 130
    running.stdout.close()
    assert "while" not in cli(at_server, "ps", "--all")[1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--", "sh", "-c", "kill -9 $$"], 128 + signal.SIGKILL),
        (["--", "nosuchcmd", "x"], 127),
        (["--detach", "--", "nosuchcmd", "x"], 127),
        (["--timeout", "0.05", "sleep 600"], 124),
        (["--cwd", "/nope", "true"], 2),
        (["true"], 0),
    ],
)
def test_the_status_of_exec_is_that_of_a_shell(
    at_server: dict[str, str], words: list[str], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where the tests run, stdin is no pipe that ends.
    monkeypatch.setattr("sandbox_agent_client.cli.processes.is_terminal", lambda: True)
    assert cli(at_server, "exec", *words)[0] == expected


def test_processes_are_listed_shown_and_ended(at_server: dict[str, str]) -> None:
    code, out, _ = cli(at_server, "exec", "--detach", "echo out; echo err >&2; exec sleep 600")
    process_id = out.strip()
    assert (code, process_id.startswith("proc_")) == (0, True)
    (row,) = [line for line in cli(at_server, "ps")[1].splitlines() if process_id in line]
    assert "running" in row
    assert row.endswith("exec sleep 600")
    assert '"status": "running"' in cli(at_server, "ps", "--json")[1]
    following = subprocess.Popen(
        [PROGRAM, "logs", "-f", process_id], env=at_server, stdout=subprocess.PIPE
    )
    assert following.stdout is not None
    assert following.stdout.readline() == b"out\n"
    code, out, _ = cli(at_server, "kill", process_id)
    assert (code, out.startswith(f"{process_id} SIGTERM, ")) == (0, True)
    assert following.wait(30) == 0
    following.stdout.close()
    assert cli(at_server, "logs", process_id) == (0, "out\n", "err\n")
    assert cli(at_server, "logs", process_id, "-n", "1")[1:] == ("", "err\n")
    assert process_id not in cli(at_server, "ps")[1]
    assert "SIGTERM" in cli(at_server, "ps", "-a")[1]
    assert cli(at_server, "kill", "proc_0")[0] == 2
