"""The ladder of `StdioLink.close`, and that nothing survives it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_server.runtime import proc_table

DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('ready', flush=True)
while True: time.sleep(60)
"""
# Prints the pid of a child that sleeps, does what %s says in it, and waits for the end of stdin.
PARENT = """
child = os.fork()
if child == 0:
    %s
    time.sleep(60)
print(child, flush=True)
sys.stdin.read()
"""


async def test_a_process_that_ends_with_its_input_is_not_killed(start: Any) -> None:
    agent = await start("sys.stdin.read(); print('bye'); sys.exit(4)", stop_grace_s=2.0)
    assert (await agent.link.close()).exit_code == 4


@pytest.mark.parametrize("is_paused", [False, True])
async def test_what_it_wrote_at_the_end_is_delivered_before_it_is_closed(
    start: Any, is_paused: bool
) -> None:
    agent = await start("sys.stdin.read()\nfor n in range(9000): print(n)", stop_grace_s=2.0)
    if is_paused:
        agent.link.pause()
    assert (await agent.link.close()).exit_code == 0
    assert len(agent.lines) == 9000
    assert agent.ends == 1


async def test_a_pause_is_not_heeded_at_the_end(start: Any) -> None:
    agent = await start("sys.stdin.read()\nfor n in range(9000): print(n)", stop_grace_s=2.0)
    agent.link.pause()
    agent.pauses_each_time = True
    await agent.link.close()
    assert (len(agent.lines), agent.ends) == (9000, 1)


async def test_a_process_deaf_to_the_end_of_input_is_terminated(start: Any) -> None:
    agent = await start("print('ready', flush=True)\nwhile True: time.sleep(60)")
    await agent.next()
    assert (await agent.link.close()).signal == 15


async def test_a_process_deaf_to_everything_is_gone_in_5_seconds(start: Any) -> None:
    agent = await start(DEAF, stop_grace_s=60.0)
    await agent.next()
    async with asyncio.timeout(20):  # and not the 60 s
        assert (await agent.link.close()).signal == 9


@pytest.mark.parametrize(
    "habit",
    [
        "pass",
        "os.setpgid(0, 0)",
        "os.setsid()",
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    ],
    ids=["in its group", "in a group of its own", "in a session of its own", "deaf"],
)
async def test_children_die_with_the_process(start: Any, is_running: Any, habit: str) -> None:
    agent = await start(PARENT % habit)
    child = int(await agent.next())
    assert is_running(child)
    await agent.link.close()
    assert not is_running(child)


async def test_an_orphan_of_a_process_that_died_is_found(start: Any, is_running: Any) -> None:
    agent = await start(
        "child = os.fork()\nif child: print(child, flush=True); os._exit(1)\ntime.sleep(60)"
    )
    child = int(await agent.next())
    assert await agent.all() == [str(child).encode()]
    assert is_running(child)
    await agent.link.close()
    assert not is_running(child)


async def test_a_child_whose_first_thread_has_ended_is_no_zombie(
    start: Any, is_running: Any
) -> None:
    agent = await start(
        "import ctypes, threading\n"
        "child = os.fork()\n"
        "if child: print(child, flush=True); sys.stdin.read(); sys.exit()\n"
        "os.setsid()\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "ctypes.CDLL(None).pthread_exit(None)"
    )
    child = int(await agent.next())
    await agent.link.close()
    assert not is_running(child)


async def test_several_may_close_at_once_and_again(start: Any) -> None:
    agent = await start("sys.stdin.read(); sys.exit(2)")
    exits = await asyncio.gather(*(agent.link.close() for _ in range(3)))
    assert {exit.exit_code for exit in (*exits, await agent.link.close())} == {2}


async def test_a_link_that_was_never_started_can_be_closed(listener: Any, tmp_path: Path) -> None:
    agent = listener(["cat"], cwd=tmp_path, env={})
    assert (await agent.link.close()).exit_code is None
    assert agent.ends == 0


async def test_closing_goes_on_when_its_caller_is_cancelled(start: Any, is_running: Any) -> None:
    agent = await start(DEAF)
    await agent.next()
    closing = asyncio.ensure_future(agent.link.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])
    assert closing.cancelled()
    assert (await agent.link.close()).signal == 9
    assert not is_running(agent.link.pid)


@pytest.mark.parametrize("is_closing", [True, False])
def test_the_end_of_the_loop_kills_at_once(listener: Any, tmp_path: Path, is_closing: bool) -> None:
    """A session's task is cancelled while it closes its agent, or closes it because it is cancelled."""
    pids: list[int] = []

    async def session() -> None:
        argv = [sys.executable, "-I", "-S", "-c", f"import os, sys, time\n{DEAF}"]
        agent = listener(
            argv,
            cwd=tmp_path,
            env=dict(os.environ),
            stop_grace_s=0.3,
            on_process=pids.append,
        )
        await agent.link.start()
        try:
            await agent.next()
            ready.set()
            if not is_closing:
                await asyncio.Event().wait()
        finally:
            await agent.link.close()

    ready = asyncio.Event()

    async def main() -> None:
        running = asyncio.create_task(session())
        async with asyncio.timeout(30):
            await ready.wait()
            await asyncio.sleep(0)
        assert not running.done()

    asyncio.run(main())
    stat = proc_table.read_one(pids[0])
    assert stat is None


async def test_terminating_leaves_no_time_to_finish(start: Any, tmp_path: Path) -> None:
    finish = "sys.stdin.read(); time.sleep(1); open('finished', 'w').close()"
    agent = await start(f"print('ready', flush=True); {finish}", stop_grace_s=2.0)
    await agent.next()

    assert (await agent.link.terminate()).signal == 15

    assert not (tmp_path / "finished").exists()
