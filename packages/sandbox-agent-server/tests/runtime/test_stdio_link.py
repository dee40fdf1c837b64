"""Reading, writing and starting. How a process is ended is in `test_stopping.py`."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import AgentNotInstalled, AgentStartFailed
from sandbox_agent_server.runtime.lines import OversizeLine
from sandbox_agent_server.runtime.stdio_link import StdioLink

ECHO = "for line in sys.stdin.buffer: os.write(1, line)"


async def read_all(link: StdioLink) -> list[bytes]:
    async with asyncio.timeout(5):
        return [line async for batch in link.lines() for line in batch]


async def test_a_burst_arrives_whole_and_in_order(start: Any) -> None:
    link = await start("for n in range(50_000): print(n)")
    assert await read_all(link) == [str(n).encode() for n in range(50_000)]


async def test_a_last_line_without_newline_arrives(start: Any) -> None:
    link = await start("os.write(1, b'one\\ntwo')")
    assert await read_all(link) == [b"one", b"two"]


async def test_a_line_of_megabytes_arrives_whole(start: Any) -> None:
    link = await start("print('x' * 8_000_000)")
    assert await read_all(link) == [b"x" * 8_000_000]


async def test_a_line_over_the_limit_is_told_by_its_size_and_the_next_is_read(start: Any) -> None:
    link = await start("print('x' * 2_000_000); print('after')", max_line_bytes=1_000_000)
    oversize, after = await read_all(link)
    assert isinstance(oversize, OversizeLine)
    assert oversize.size_bytes == 2_000_000
    assert after == b"after"


async def test_lines_end_when_the_process_closes_its_stdout(start: Any) -> None:
    link = await start("print('bye', flush=True); os.close(1); time.sleep(60)")
    assert await read_all(link) == [b"bye"]
    assert link.exit is None


async def test_lines_end_with_the_process_although_a_grandchild_holds_the_pipe(start: Any) -> None:
    link = await start(
        "print('x' * 50_000, flush=True)\n"
        "if os.fork() == 0: time.sleep(60)\n"
        "print('last', flush=True); os._exit(3)"
    )
    assert await read_all(link) == [b"x" * 50_000, b"last"]
    assert link.exit is not None
    assert link.exit.exit_code == 3


async def test_nobody_reading_holds_the_process_back(
    start: Any, until: Any, tmp_path: Path
) -> None:
    progress = tmp_path / "progress"
    link = await start(
        f"progress = open({str(progress)!r}, 'wb', 0)\n"
        "for n in range(64): os.write(1, b'x' * 65_535 + b'\\n'); progress.write(b'.')"
    )
    await until(lambda: progress.exists() and progress.stat().st_size >= 1)
    # It cannot be seen to do nothing, but to have had room for no more than its pipe.
    for _ in range(1000):
        await asyncio.sleep(0)
    assert progress.stat().st_size <= 2
    assert len(await read_all(link)) == 64
    assert progress.stat().st_size == 64


async def test_a_cancelled_read_loses_nothing(start: Any) -> None:
    link = await start(ECHO)
    lines = link.lines()
    for _ in range(20):
        reading = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
    await link.send(b"still here")
    async with asyncio.timeout(5):
        assert await anext(lines) == [b"still here"]


async def test_lines_are_sent_in_order_and_more_than_the_pipe_holds(start: Any) -> None:
    link = await start(ECHO)
    sent = [str(n).encode() * 20_000 for n in range(40)]
    received: list[bytes] = []

    async def receive() -> None:
        async for batch in link.lines():
            received.extend(batch)
            if len(received) == len(sent):
                return

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        tasks.create_task(receive())
        for line in sent:
            await link.send(line)
    assert received == sent


async def test_reading_goes_on_while_the_process_does_not_read(start: Any) -> None:
    link = await start("for n in range(3): print(n, flush=True)\ntime.sleep(60)")
    async with asyncio.timeout(5):
        sending = asyncio.ensure_future(link.send(b"x" * 20_000_000))
        received: list[bytes] = []
        async for batch in link.lines():
            received.extend(batch)
            if len(received) == 3:
                break
        assert not sending.done()
        await link.close()
        await sending


async def test_sending_to_a_process_that_is_gone_goes_nowhere(start: Any) -> None:
    link = await start("pass")
    await read_all(link)
    for _ in range(3):
        await link.send(b"x" * 100_000)
    await link.close()
    await link.send(b"x")


async def test_a_flood_of_stderr_does_not_stall_the_process(start: Any) -> None:
    link = await start("sys.stderr.write('noise\\n' * 500_000); sys.stderr.flush(); print('done')")
    assert await read_all(link) == [b"done"]
    tail = (await link.close()).stderr_tail
    assert tail.endswith("noise\nnoise")
    assert len(tail) <= 8192


async def test_the_exit_tells_code_and_last_words(start: Any) -> None:
    link = await start(
        "sys.stderr.write('no key sk-ant-REDACTED in ' + os.environ['MY_TOKEN']); sys.exit(7)",
        env={**os.environ, "MY_TOKEN": "correct-horse"},
    )
    await read_all(link)
    exit = await link.close()
    assert (exit.exit_code, exit.signal) == (7, None)
    assert exit.stderr_tail == "no key sk-ant-*** in ***"
    assert link.exit == exit


async def test_the_exit_tells_the_signal(start: Any) -> None:
    link = await start("os.kill(os.getpid(), 9)")
    await read_all(link)
    exit = await link.close()
    assert (exit.exit_code, exit.signal) == (None, 9)


async def test_the_exit_is_noticed_without_pidfds(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_pid: int) -> int:
        raise OSError("not implemented")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    link = await start("if os.fork() == 0: time.sleep(60)\nos._exit(5)")
    assert await read_all(link) == []
    assert (await link.close()).exit_code == 5


async def test_the_process_is_announced(start: Any) -> None:
    announced: list[int] = []
    link = await start(
        "print(os.getpid(), os.getpgid(0), os.getsid(0))", on_process=announced.append
    )
    pid = str(link.pid).encode()
    assert await read_all(link) == [b" ".join([pid] * 3)]
    assert announced == [link.pid]


async def test_only_the_given_environment_is_there(start: Any) -> None:
    link = await start("print(sorted(os.environ))", env={"A": "1"})
    (names,) = await read_all(link)
    # Python adds LC_CTYPE by itself where the locale is C.
    assert set(eval(names)) - {"LC_CTYPE"} == {"A"}


# Starting


def script(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


async def fail_to_start(program: str, cwd: Path) -> Exception:
    link = StdioLink([program], cwd=cwd, env=dict(os.environ))
    with pytest.raises((AgentNotInstalled, AgentStartFailed)) as caught:
        await link.start()
    await link.close()
    return caught.value


async def test_a_program_that_is_not_there_is_not_installed(tmp_path: Path) -> None:
    assert isinstance(await fail_to_start("no-such-agent", tmp_path), AgentNotInstalled)
    assert isinstance(await fail_to_start("/no/such/agent", tmp_path), AgentNotInstalled)


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
    tmp_path: Path, text: str, mode: int
) -> None:
    program = script(tmp_path / "agent", text, mode)
    assert isinstance(await fail_to_start(program, tmp_path), AgentStartFailed)


async def test_a_missing_working_directory_is_no_missing_program(tmp_path: Path) -> None:
    assert isinstance(await fail_to_start("sh", tmp_path / "gone"), AgentStartFailed)


async def test_the_program_is_looked_up_on_its_own_path(tmp_path: Path) -> None:
    script(tmp_path / "my-agent", "#!/bin/sh\necho found\n", stat.S_IRWXU)
    link = StdioLink(["my-agent"], cwd=tmp_path, env={"PATH": str(tmp_path)})
    await link.start()
    assert await read_all(link) == [b"found"]
    await link.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_is_left_open(tmp_path: Path) -> None:
    async def once() -> None:
        link = StdioLink(["cat"], cwd=tmp_path, env=dict(os.environ))
        await link.start()
        await link.send(b"hello")
        assert await anext(link.lines()) == [b"hello"]
        await link.close()

    async def several() -> tuple[int, int]:
        await once()
        before = open_files()
        for _ in range(10):
            await once()
        return before, open_files()

    before, after = asyncio.run(several())
    assert before == after
