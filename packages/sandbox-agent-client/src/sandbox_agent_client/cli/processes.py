"""`sandbox-agent exec`, `ps`, `logs` and `kill`: commands and processes where a server runs."""

from __future__ import annotations

import asyncio
import json as json_module
import os
import signal as signals
import stat
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from sandbox_agent_core.api.processes import ProcessInfo

from sandbox_agent_client._async._backend import finish as to_the_end
from sandbox_agent_client._async.processes import Process
from sandbox_agent_client._commands import OutputChunk
from sandbox_agent_client.cli.assignments import environment, span
from sandbox_agent_client.cli.commands import Command, Commands
from sandbox_agent_client.cli.exit_codes import ExitCode, finish
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, Json, TokenEnv, Url
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.cli.target import Target, resolve_server
from sandbox_agent_client.cli.terminal import is_terminal
from sandbox_agent_client.errors import (
    ProcessNotFound,
    ProcessNotRunning,
    ProcessStartFailed,
    SandboxAgentError,
)

__all__ = ["NOT_FOUND", "ExecCommand", "add_process_commands", "status_of", "typed"]

CHUNK_BYTES = 48 * 1024
STOP_TIMEOUT_S = 30.0
SIGNALLED = 128
NOT_FOUND = 127
"""As shells say it of a program that is not there."""

EXEC_HELP = """\
\b
Exit status: that of the command, and
  124    --timeout
  127    there is no such program, or it cannot be run
  128+N  signal N ended it
  130    cancelled
What goes wrong before the command runs has the status that `sandbox-agent run --help` names.
"""

Env = Annotated[
    list[str] | None,
    typer.Option(
        "--env",
        metavar="NAME[=VALUE]",
        help="A variable for it; repeat for more.",
        show_default=False,
    ),
]
Cwd = Annotated[
    str | None,
    typer.Option(
        "--cwd", metavar="DIR", help="Where it runs. Default: the server's own directory.",
        show_default=False,
    ),
]  # fmt: skip
ProcessId = Annotated[str, typer.Argument(metavar="PROCESS", help="As `ps` shows it.")]


class ExecCommand(Command):
    """The words of the command are its own, also those that look like options."""

    def __init__(self, *args: object, **settings: object) -> None:
        super().__init__(*args, **settings)
        self.allow_interspersed_args = False


def add_process_commands(app: Commands, *, panel: str) -> None:
    app.command("exec", epilog=EXEC_HELP, cls=ExecCommand, rich_help_panel=panel)(_exec)
    app.command("ps", rich_help_panel=panel)(_ps)
    app.command("logs", rich_help_panel=panel)(_logs)
    app.command("kill", rich_help_panel=panel)(_kill)


def _exec(
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="COMMAND...",
            help='A program and its arguments; one word alone is a line for the shell (`"make && ls"`).',
        ),
    ],
    cwd: Cwd = None,
    env: Env = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.001, metavar="SECONDS", help="Then end it.", show_default=False),
    ] = None,
    interactive: Annotated[
        bool,
        typer.Option(
            "--interactive", "-i", help="Hand on what is typed here, too; a pipe always is."
        ),
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Print its id and leave it running.")
    ] = False,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Run a command where the server runs. Ctrl-C stops it."""
    target = resolve_server(url, token_env)
    argv = command[0] if len(command) == 1 else command
    variables = environment(env or [])
    if detach:
        finish(_start(target, argv, cwd, variables, timeout))
    else:
        finish(_run(target, argv, cwd, variables, timeout, types=interactive or not is_terminal()))


def _ps(
    all: Annotated[bool, typer.Option("--all", "-a", help="Also those that have ended.")] = False,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    json: Json = False,
) -> None:
    """Processes that were started there, newest first; not those of agents."""
    finish(_list(resolve_server(url, token_env), ended=all, as_json=json))


def _logs(
    process: ProcessId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on to its end.")] = False,
    tail: Annotated[
        int | None,
        typer.Option(
            "--tail", "-n", min=0, metavar="N", help="Only the last N pieces.", show_default=False
        ),
    ] = None,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """What a process has written: its stdout on stdout, its stderr on stderr."""
    finish(_show(resolve_server(url, token_env), process, follow=follow, tail=tail))


def _kill(
    processes: Annotated[
        list[str], typer.Argument(metavar="PROCESS...", help="As `ps` shows them.")
    ],
    now: Annotated[bool, typer.Option("--now", help="At once: SIGKILL.")] = False,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """End processes with all that came from them: SIGTERM, and 5 s later SIGKILL."""
    finish(_end(resolve_server(url, token_env), processes, now=now))


async def _start(
    target: Target,
    command: str | list[str],
    cwd: str | None,
    env: dict[str, str],
    timeout: float | None,
) -> int:
    async with target.open() as client:
        try:
            process = await client.processes.spawn(command, cwd=cwd, env=env, timeout=timeout)
        except ProcessStartFailed as exc:
            return _not_started(exc)
    print(process.id)
    return ExitCode.OK


async def _run(
    target: Target,
    command: str | list[str],
    cwd: str | None,
    env: dict[str, str],
    timeout: float | None,
    *,
    types: bool,
) -> int:
    async with target.open() as client:
        try:
            process = await client.processes.spawn(
                command, cwd=cwd, env=env, timeout=timeout, when_log_full="wait"
            )
        except ProcessStartFailed as exc:
            return _not_started(exc)
        feeding = asyncio.create_task(_feed(process, types=types))
        try:
            await _print_all(process, follow=True)
            info = await process.wait()
        finally:
            feeding.cancel()
            await asyncio.wait([feeding])
            if process.is_running:
                await to_the_end(process.stop, timeout_s=STOP_TIMEOUT_S)
            with suppress(SandboxAgentError):
                await process.delete()
    return status_of(info)


async def _list(target: Target, *, ended: bool, as_json: bool) -> None:
    async with target.open() as client:
        found = [one.info for one in await client.processes.list()]
    infos = [info for info in reversed(found) if ended or info.status == "running"]
    if as_json:
        for info in infos:
            print(json_module.dumps(info.model_dump(mode="json", by_alias=True, exclude_none=True)))
    elif infos:
        # One that nobody else has started something at need not say whose all of it is.
        has_actors = any(info.actor for info in infos)
        rows = [
            (
                info.id,
                str(info.pid or ""),
                _state(info),
                *((info.actor or "",) if has_actors else ()),
                _line(info),
            )
            for info in infos
        ]
        actor = ("actor",) if has_actors else ()
        print_table(("id", "pid", "state", *actor, "command"), rows)
    else:
        print("No process runs." if not ended else "No process was started.")


async def _show(target: Target, process_id: str, *, follow: bool, tail: int | None) -> None:
    async with target.open() as client:
        await _print_all(await client.processes.get(process_id), follow=follow, tail=tail)


async def _end(target: Target, process_ids: list[str], *, now: bool) -> ExitCode:
    """All of them, also when one is not there."""
    code = ExitCode.OK
    async with target.open() as client:
        for process_id in process_ids:
            try:
                process = await client.processes.get(process_id)
                await (process.kill() if now else process.stop())
            except ProcessNotFound as exc:
                print(f"sandbox-agent: {plain(exc.message)}", file=sys.stderr)
                code = ExitCode.USAGE
            else:
                print(f"{process_id} {_state(process.info)}")
    return code


async def _print_all(process: Process, *, follow: bool, tail: int | None = None) -> None:
    """As it comes, byte for byte: what is run here is a program, and may write to a file."""
    async with aclosing(process.logs(follow=follow, tail=tail)) as chunks:
        async for chunk in chunks:
            _print(chunk)


def _print(chunk: OutputChunk) -> None:
    if chunk.gap is not None:
        size = f"{chunk.gap.bytes} bytes" if chunk.gap.bytes is not None else "output"
        print(f"sandbox-agent: {size} before this were dropped", file=sys.stderr, flush=True)
    out: BinaryIO = (sys.stderr if chunk.stream == "stderr" else sys.stdout).buffer
    out.write(chunk.data)
    out.flush()


async def _feed(process: Process, *, types: bool) -> None:
    # What has ended reads no more.
    with suppress(ProcessNotRunning, ProcessNotFound):
        if types:
            async with aclosing(typed(sys.stdin.fileno())) as chunks:
                async for chunk in chunks:
                    await process.write(chunk)
        await process.close_stdin()


async def typed(fd: int) -> AsyncGenerator[bytes, None]:
    """What comes on a descriptor, to its end."""
    if _never_waits(fd):
        while data := os.read(fd, CHUNK_BYTES):
            yield data
        return
    loop = asyncio.get_running_loop()
    while True:
        arrived: asyncio.Future[bytes] = loop.create_future()
        loop.add_reader(fd, _read_now, fd, arrived)
        try:
            data = await arrived
        finally:
            loop.remove_reader(fd)
        if not data:
            return
        yield data


def _read_now(fd: int, arrived: asyncio.Future[bytes]) -> None:
    """At once, while it is known to be readable: a read that waits would hold up everything."""
    asyncio.get_running_loop().remove_reader(fd)
    if arrived.done():
        return
    try:
        arrived.set_result(os.read(fd, CHUNK_BYTES))
    except OSError:  # the terminal is gone
        arrived.set_result(b"")


def _never_waits(fd: int) -> bool:
    """A file or /dev/null, which no event loop watches."""
    found = os.fstat(fd)
    return stat.S_ISREG(found.st_mode) or os.path.samestat(found, Path(os.devnull).stat())


def _not_started(exc: ProcessStartFailed) -> int:
    print(f"sandbox-agent: {plain(exc.message)}", file=sys.stderr)
    return NOT_FOUND


def status_of(info: ProcessInfo) -> int:
    """What a command exits with that ran it."""
    if info.timed_out:
        return ExitCode.TIMEOUT
    if info.signal is not None:
        with suppress(AttributeError):
            return SIGNALLED + int(getattr(signals, info.signal))
    return ExitCode.FAILED if info.exit_code is None else info.exit_code


def _state(info: ProcessInfo) -> str:
    now_ms = time.time() * 1000
    if info.status == "running":
        return f"running {_span(now_ms - info.created_at_ms)}"
    if info.timed_out:
        how = "timed out"
    else:
        how = info.signal or (f"exited {info.exit_code}" if info.exit_code is not None else "ended")
    return f"{how}, {_span(now_ms - (info.exited_at_ms or info.created_at_ms))} ago"


def _span(milliseconds: float) -> str:
    return span(timedelta(milliseconds=milliseconds))


def _line(info: ProcessInfo) -> str:
    words = [info.command, *info.args]
    if words[:2] == ["sh", "-c"] and len(words) == 3:
        return words[2]
    return " ".join(words)
