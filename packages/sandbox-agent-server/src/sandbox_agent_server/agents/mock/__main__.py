"""The mock agent as a program that speaks ACP on stdio, with a real process to kill and a real death to die."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from typing import BinaryIO

from sandbox_agent_server.agents.mock.agent import MockAgent
from sandbox_agent_server.agents.mock.turn import Crashed
from sandbox_agent_server.jsonio import dumps, loads


async def _serve(*, is_stubborn: bool, is_plain: bool) -> int:
    crashes: list[Crashed] = []
    agent = MockAgent(on_crash=crashes.append, is_plain=is_plain)
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(_read(sys.stdin.buffer, agent, is_stubborn=is_stubborn))
        await _write(agent, sys.stdout.buffer)
        if crashes:
            # The reader waits for a line in a thread that cannot be cancelled, and a crash has no manners.
            sys.stderr.write(crashes[0].stderr)
            sys.stderr.flush()
            os._exit(crashes[0].exit_code)
        reading.cancel()
    return 0


async def _read(stdin: BinaryIO, agent: MockAgent, *, is_stubborn: bool) -> None:
    while line := await asyncio.to_thread(stdin.readline):
        if line.strip():
            agent.receive(loads(line))
    if is_stubborn:
        await asyncio.Event().wait()
    await agent.close()


async def _write(agent: MockAgent, stdout: BinaryIO) -> None:
    def write(data: bytes) -> None:
        stdout.write(data)
        stdout.flush()

    async for batch in agent.outbox.batches():
        lines = [written if isinstance(written, bytes) else dumps(written) for written in batch]
        # In a thread, because a full pipe blocks, and a cancel must come through all the same.
        await asyncio.to_thread(write, b"\n".join([*lines, b""]))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox_agent_server.agents.mock")
    parser.add_argument(
        "--stubborn", action="store_true", help="ignore SIGTERM and the end of stdin"
    )
    parser.add_argument(
        "--plain", action="store_true", help="know ACP alone: no steering, compacting, forking, …"
    )
    parser.add_argument(
        "--spawn-child",
        choices=("attached", "detached"),
        nargs="?",
        const="attached",
        help="leave a sleeping child behind that holds the pipes open; its pid goes to stderr",
    )
    arguments = parser.parse_args()
    if arguments.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if arguments.spawn_child:
        child = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"],
            start_new_session=arguments.spawn_child == "detached",
        )
        sys.stderr.write(f"child {child.pid}\n")
        sys.stderr.flush()
    return asyncio.run(_serve(is_stubborn=arguments.stubborn, is_plain=arguments.plain))


if __name__ == "__main__":
    sys.exit(main())
