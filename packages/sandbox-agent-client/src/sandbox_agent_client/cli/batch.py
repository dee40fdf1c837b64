"""`sandbox-agent batch`: many tasks with several agents, and what came of them."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress

from sandbox_agent_client.batch.engine import Budget, Engine
from sandbox_agent_client.batch.exports import BatchFormat, export_batch
from sandbox_agent_client.batch.plan import Plan, trials_of
from sandbox_agent_client.batch.results import load_plan, load_results
from sandbox_agent_client.batch.runner import carry_out
from sandbox_agent_client.batch.summary import BatchSummary
from sandbox_agent_client.cli.batch_flags import BatchFlags, takes_batch_flags
from sandbox_agent_client.cli.batch_view import BatchView, count_of, show_plan, show_summary
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import ExitCode, finish

__all__ = ["batch_app"]

batch_app = Commands(help="Many tasks with several agents: run, bounded, graded, compared.")

EXIT_STATUS = """\
\b
Exit status:
  0    every trial has passed, or ended where its task has no grade
  1    some have not passed, or could not be carried out
  2    usage: a task, an agent or an option that is not possible
  3    the budget was used up before the end
  130  interrupted
"""
Json = Annotated[bool, typer.Option("--json", help="The result of each trial as a line of JSON.")]


@batch_app.command("run", epilog=EXIT_STATUS)
@takes_batch_flags
def _run(
    flags: BatchFlags,
    tasks: Annotated[
        Path, typer.Argument(metavar="TASKS", help="A .yaml, .json, .jsonl or .toml file.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Where results are kept. The same command goes on with what is there.",
            show_default=False,
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be run, and stop.")
    ] = False,
    json: Json = False,
) -> None:
    """Give every task to every agent. Ctrl-C lets what runs come to its end, again cancels it; the same command goes
    on afterwards."""

    async def work() -> ExitCode:
        plan, engine, budget = flags.plan(tasks), flags.made_engine(), flags.made_budget()
        if dry_run:
            show_plan(plan, _verdicts(out), as_json=json)
            return ExitCode.OK
        return await _carried_out(plan, out, engine=engine, budget=budget, as_json=json)

    finish(work())


@batch_app.command("show", epilog=EXIT_STATUS)
def _show(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The --out of a batch.")],
    json: Json = False,
) -> None:
    """What came of a batch, also of one that runs."""

    async def work() -> ExitCode:
        plan = load_plan(directory)
        summary = BatchSummary.of(plan, list(load_results(directory).values()))
        show_summary(summary, directory, as_json=json)
        return ExitCode.OK if summary.ok else ExitCode.FAILED

    finish(work())


@batch_app.command("export")
def _export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The --out of a batch.")],
    format: Annotated[
        BatchFormat,
        typer.Option(
            help="A log of Inspect for each agent, or an ATIF trajectory for each trial.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="The directory for them. Default: one in DIR. Of a single agent also NAME.eval or NAME.json.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """What came of a batch in files for other programs, with credentials masked. Their names are on stdout."""

    async def work() -> None:
        # Nothing here waits, so that a cancellation would come after the end.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        console = Console(stderr=True)
        trials = len(load_results(directory))
        with Progress(
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as bar:
            reading = bar.add_task("", total=trials)
            files = export_batch(
                directory,
                format=format,
                output=output,
                report=lambda _result: bar.advance(reading),
            )
        for file in files:
            print(file)
        if format is BatchFormat.ATIF and (without := trials - len(files)):
            print(f"{count_of(without, 'trial')} never had a session", file=sys.stderr)

    finish(work())


async def _carried_out(
    plan: Plan, out: Path, *, engine: Engine, budget: Budget, as_json: bool
) -> ExitCode:
    """Raises: SandboxAgentError."""
    stopping = asyncio.Event()
    view = BatchView(len(trials_of(plan)), _verdicts(out), as_json=as_json)
    running = asyncio.ensure_future(
        carry_out(plan, out, engine=engine, budget=budget, observe=view.show, stopping=stopping)
    )
    with _interrupts(running, stopping, view), view:
        # Cancelled it cleans up first, and nothing else is waited for.
        await asyncio.wait([running])
    if running.cancelled():
        view.remark("cancelled; the same command goes on")
        return ExitCode.CANCELLED
    summary = running.result()
    if not as_json:
        show_summary(summary, out, as_json=False)
    if stopping.is_set() and summary.left:
        return ExitCode.CANCELLED
    if summary.stopped is not None:
        return ExitCode.STOPPED
    return ExitCode.OK if summary.ok else ExitCode.FAILED


@contextmanager
def _interrupts(
    running: asyncio.Future[BatchSummary], stopping: asyncio.Event, view: BatchView
) -> Iterator[None]:
    """The first lets what runs come to its end, the second cancels it; SIGTERM cancels it at once."""
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        if stopping.is_set():
            view.remark("cancelling")
            running.cancel()
        else:
            stopping.set()
            view.remark("no further trial begins; Ctrl-C again cancels those that run")

    handlers: dict[signal.Signals, Callable[[], object]] = {
        signal.SIGINT: interrupted,
        signal.SIGTERM: running.cancel,
    }
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


def _verdicts(out: Path) -> set[str]:
    """The trials that have one already."""
    return {trial for trial, result in load_results(out).items() if result.is_verdict}
