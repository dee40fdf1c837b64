"""Reading, writing and starting. How a process is ended is in `test_stopping.py`."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_server.runtime import proc_table, process
from sandbox_agent_server.runtime.errors import ProcessNotFound, ProcessStartFailed
from sandbox_agent_server.runtime.lines import OversizeLine

ECHO = "for line in sys.stdin.buffer: os.write(1, line)"


async def test_a_burst_arrives_whole_and_in_order(start: Any) -> None:
    agent = await start("for n in range(50_000): print(n)")
    assert await agent.all() == [str(n).encode() for n in range(50_000)]


async def test_a_last_line_without_newline_arrives(start: Any) -> None:
    agent = await start("os.write(1, b'one\\ntwo')")
    assert await agent.all() == [b"one", b"two"]


async def test_a_line_of_megabytes_arrives_whole(start: Any) -> None:
    agent = await start("print('x' * 8_000_000)")
    assert await agent.all() == [b"x" * 8_000_000]


async def test_a_line_over_the_limit_is_told_by_its_size_and_the_next_is_read(start: Any) -> None:
    agent = await start("print('x' * 2_000_000); print('after')", max_line_bytes=1_000_000)
    oversize, after = await agent.all()
    assert isinstance(oversize, OversizeLine)
    assert oversize.size_bytes == 2_000_000
    assert after == b"after"


async def test_lines_end_when_the_process_closes_its_stdout(start: Any) -> None:
    agent = await start("print('bye', flush=True); os.close(1); time.sleep(60)")
    assert await agent.all() == [b"bye"]
    assert agent.link.exit is None


async def test_lines_end_with_the_process_although_a_grandchild_holds_the_pipe(start: Any) -> None:
    agent = await start(
        "print('x' * 50_000, flush=True)\n"
        "if os.fork() == 0: time.sleep(60)\n"
        "print('last', flush=True); os._exit(3)"
    )
    assert await agent.all() == [b"x" * 50_000, b"last"]
    assert agent.link.exit is not None
    assert agent.link.exit.exit_code == 3


async def test_a_pause_holds_the_process_back(start: Any, until: Any, tmp_path: Path) -> None:
    progress = tmp_path / "progress"
    agent = await start(
        f"sys.stdin.readline(); progress = open({str(progress)!r}, 'wb', 0)\n"
        "for n in range(64): os.write(1, b'x' * 65_535 + b'\\n'); progress.write(b'.')"
    )
    agent.link.pause()
    agent.link.pause()
    agent.link.send(b"go")
    await until(lambda: progress.exists() and progress.stat().st_size >= 1)
    # It cannot be seen to do nothing, but to have had room for no more than its pipe.
    for _ in range(1000):
        await asyncio.sleep(0)
    assert progress.stat().st_size <= 2
    assert agent.lines == []
    agent.link.resume()
    assert agent.lines == []
    assert len(await agent.all()) == 64
    assert progress.stat().st_size == 64


async def test_a_pause_in_the_middle_of_a_delivery_is_heeded(start: Any) -> None:
    agent = await start("sys.stdin.readline()\nfor n in range(300_000): print(n)")
    agent.pauses_each_time = True
    agent.link.send(b"go")
    count = 0
    while not agent.ends:
        await agent.until(lambda seen=count: len(agent.batches) > seen or agent.ends)
        assert len(agent.batches) - count <= 1
        count = len(agent.batches)
        agent.link.resume()
    assert agent.lines == [str(n).encode() for n in range(300_000)]


async def test_the_end_of_a_process_waits_for_the_end_of_a_pause(start: Any, until: Any) -> None:
    """Also when a grandchild holds the pipe, which then is never readable again."""
    agent = await start("sys.stdin.readline()\nif os.fork() == 0: time.sleep(60)\nos._exit(0)")
    agent.link.pause()
    agent.link.send(b"go")
    await until(lambda: agent.link.exit)
    for _ in range(10):
        await asyncio.sleep(0)
    assert agent.ends == 0
    agent.link.resume()
    assert agent.ends == 0
    assert await agent.all() == []


async def test_lines_are_sent_in_order_and_more_than_the_pipe_holds(start: Any) -> None:
    agent = await start(ECHO)
    sent = [str(n).encode() * 20_000 for n in range(40)]
    for line in sent:
        agent.link.send(line)
    await agent.until(lambda: len(agent.lines) == len(sent))
    assert agent.lines == sent


async def test_reading_goes_on_while_the_process_does_not_read(start: Any) -> None:
    agent = await start("for n in range(3): print(n, flush=True)\ntime.sleep(60)")
    agent.link.send(b"x" * 20_000_000)
    await agent.until(lambda: len(agent.lines) == 3)


async def test_a_process_that_never_reads_is_ended_before_it_fills_the_memory(
    start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    agent = await start("time.sleep(60)")
    for _ in range(5):
        agent.link.send(b"x" * 16_000_000)
    assert await agent.all() == []
    assert (await agent.link.close()).signal == 15
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_sending_to_a_process_that_is_gone_goes_nowhere(start: Any) -> None:
    agent = await start("pass")
    await agent.all()
    for _ in range(3):
        agent.link.send(b"x" * 100_000)
    await agent.link.close()
    agent.link.send(b"x")


async def test_a_flood_of_stderr_does_not_stall_the_process(start: Any) -> None:
    agent = await start("sys.stderr.write('noise\\n' * 500_000); sys.stderr.flush(); print('done')")
    assert await agent.all() == [b"done"]
    tail = (await agent.link.close()).stderr_tail
    assert tail.endswith("noise\nnoise")
    assert len(tail) <= 8192


async def test_the_exit_tells_code_and_last_words(start: Any) -> None:
    agent = await start(
        "sys.stderr.write('no key sk-ant-REDACTED in ' + os.environ['MY_TOKEN']); sys.exit(7)",
        env={**os.environ, "MY_TOKEN": "correct-horse"},
    )
    await agent.all()
    exit = await agent.link.close()
    assert (exit.exit_code, exit.signal) == (7, None)
    assert exit.stderr_tail == "no key sk-ant-*** in ***"
    assert agent.link.exit == exit


async def test_the_exit_tells_the_signal(start: Any) -> None:
    agent = await start("os.kill(os.getpid(), 9)")
    await agent.all()
    exit = await agent.link.close()
    assert (exit.exit_code, exit.signal) == (None, 9)


async def test_the_exit_is_noticed_without_pidfds(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_pid: int) -> int:
        raise OSError("not implemented")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    agent = await start("if os.fork() == 0: time.sleep(60)\nos._exit(5)")
    assert await agent.all() == []
    assert (await agent.link.close()).exit_code == 5


async def test_the_process_is_announced(start: Any) -> None:
    announced: list[int] = []
    agent = await start(
        "print(os.getpid(), os.getpgid(0), os.getsid(0))", on_process=announced.append
    )
    pid = str(agent.link.pid).encode()
    assert await agent.all() == [b" ".join([pid] * 3)]
    assert announced == [agent.link.pid]


async def test_only_the_given_environment_is_there(start: Any) -> None:
    agent = await start("print(sorted(os.environ))", env={"A": "1"})
    (names,) = await agent.all()
    # Python adds LC_CTYPE by itself where the locale is C.
    assert set(eval(names)) - {"LC_CTYPE"} == {"A"}


# Starting


def script(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


@pytest.fixture
def fail_to_start(listener: Any) -> Any:
    async def fail_to_start(program: str, cwd: Path) -> type[Exception]:
        agent = listener([program], cwd=cwd, env=dict(os.environ))
        with pytest.raises(ProcessStartFailed) as caught:
            await agent.link.start()
        await agent.link.close()
        assert not agent.ends
        return type(caught.value)

    return fail_to_start


async def test_a_program_that_is_not_there_is_not_found(fail_to_start: Any, tmp_path: Path) -> None:
    assert await fail_to_start("no-such-agent", tmp_path) is ProcessNotFound
    assert await fail_to_start("/no/such/agent", tmp_path) is ProcessNotFound


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("#!/no/such/interpreter\n", 0o755),
        ("#!/bin/sh\n", 0o644),
        ("\x00\x01 not a program", 0o755),
    ],
    ids=["interpreter missing", "not executable", "wrong format"],
)
async def test_a_program_that_cannot_run_failed_to_start(
    fail_to_start: Any, tmp_path: Path, text: str, mode: int
) -> None:
    program = script(tmp_path / "agent", text, mode)
    assert await fail_to_start(program, tmp_path) is ProcessStartFailed


async def test_a_missing_working_directory_is_no_missing_program(
    fail_to_start: Any, tmp_path: Path
) -> None:
    assert await fail_to_start("sh", tmp_path / "gone") is ProcessStartFailed


async def test_the_program_is_looked_up_on_its_own_path(listener: Any, tmp_path: Path) -> None:
    script(tmp_path / "my-agent", "#!/bin/sh\necho found\n", stat.S_IRWXU)
    agent = listener(["my-agent"], cwd=tmp_path, env={"PATH": str(tmp_path)})
    await agent.link.start()
    assert await agent.all() == [b"found"]
    await agent.link.close()


@pytest.fixture
def slow_launch(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Holds the thread that starts a program until `go` is set."""
    go = threading.Event()
    launch = process.launch

    def launch_slowly(*arguments: Any) -> Any:
        assert go.wait(5)
        return launch(*arguments)

    monkeypatch.setattr(process, "launch", launch_slowly)
    yield go
    go.set()


async def test_the_loop_does_not_wait_for_a_start(
    listener: Any, slow_launch: Any, tmp_path: Path
) -> None:
    agent = listener(["cat"], cwd=tmp_path, env=dict(os.environ))
    starting = asyncio.ensure_future(agent.link.start())
    await asyncio.sleep(0.01)
    assert not starting.done()
    slow_launch.set()
    await starting
    await agent.link.close()


@pytest.mark.parametrize("times", [1, 3])
async def test_a_start_that_is_cancelled_leaves_no_process(
    listener: Any, slow_launch: Any, tmp_path: Path, times: int
) -> None:
    told: list[int] = []
    agent = listener(["cat"], cwd=tmp_path, env=dict(os.environ), on_process=told.append)
    starting = asyncio.ensure_future(agent.link.start())
    for _ in range(times):
        await asyncio.sleep(0.01)
        starting.cancel()
    slow_launch.set()
    await asyncio.wait([starting], timeout=5)
    assert starting.cancelled()
    assert proc_table.read_one(*told) is None
    assert (await agent.link.close()).exit_code is None


async def test_a_process_that_cannot_be_noted_is_not_kept(listener: Any, tmp_path: Path) -> None:
    told: list[int] = []

    def refuse(pid: int) -> None:
        told.append(pid)
        raise OSError("the disk is full")

    agent = listener(["cat"], cwd=tmp_path, env=dict(os.environ), on_process=refuse)
    with pytest.raises(OSError, match="full"):
        await agent.link.start()
    assert proc_table.read_one(*told) is None


async def test_one_that_is_closed_while_it_starts_is_ended(
    listener: Any, slow_launch: Any, tmp_path: Path
) -> None:
    agent = listener(["cat"], cwd=tmp_path, env=dict(os.environ))
    starting = asyncio.ensure_future(agent.link.start())
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(agent.link.close())
    await asyncio.sleep(0)
    slow_launch.set()
    await starting
    assert (await closing).exit_code == 0
    assert agent.ends == 1


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_is_left_open(listener: Any, tmp_path: Path) -> None:
    async def once() -> None:
        agent = listener(["cat"], cwd=tmp_path, env=dict(os.environ))
        await agent.link.start()
        agent.link.send(b"hello")
        assert await agent.next() == b"hello"
        await agent.link.close()

    async def several() -> tuple[int, int]:
        await once()
        before = open_files()
        for _ in range(10):
            await once()
        return before, open_files()

    before, after = asyncio.run(several())
    assert before == after
