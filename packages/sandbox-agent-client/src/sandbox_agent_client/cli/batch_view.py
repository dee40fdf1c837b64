"""A batch as people see it: what runs, what came of each trial, and in the end a table. Or as JSON, for programs."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sandbox_agent_client.batch.engine import (
    BatchEvent,
    TrialEnded,
    TrialPhase,
    TrialRetried,
    TrialStarted,
)
from sandbox_agent_client.batch.plan import Plan, trials_of
from sandbox_agent_client.batch.result import TrialResult
from sandbox_agent_client.batch.summary import AgentSummary, BatchSummary
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.table import print_table

__all__ = ["BatchView", "count_of", "show_plan", "show_summary"]

MAX_ROWS: Final = 12
"""Trials that are seen at work at a time."""
MAX_LISTED: Final = 20
"""Trials that are listed below the table because they have not passed."""
BAR_CELLS: Final = 30
FRAMES_PER_S: Final = 4
STYLES: Final = {"passed": "green", "done": "green", "failed": "red", "error": "yellow"}
MARKS: Final = {"passed": "✓", "done": "✓", "failed": "✗", "error": "!"}


class BatchView:
    """On stderr: a line for each trial that has ended; on a terminal below them what runs now. With `as_json` the
    results are lines on stdout, and nothing else is said."""

    def __init__(
        self,
        trials: int,
        done: Collection[str],
        *,
        as_json: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._trials = trials
        self._kept = len(done)
        self._as_json = as_json
        self._clock = clock
        self._began_at = clock()
        self._console = Console(stderr=True, highlight=False)
        self._running: dict[str, tuple[str, float]] = {}
        self._counts: Counter[str] = Counter()
        self._cost = 0.0
        self._live = Live(
            get_renderable=self._now,
            console=self._console,
            refresh_per_second=FRAMES_PER_S,
            transient=True,
        )

    def __enter__(self) -> BatchView:
        if not self._as_json:
            if self._kept:
                self.remark(f"{self._kept} of {self._trials} trials have a verdict already")
            if self._console.is_terminal:
                self._live.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def remark(self, text: str) -> None:
        self._console.print(Text(plain(text), "dim"))

    def show(self, event: BatchEvent) -> None:
        match event:
            case TrialStarted(trial=trial):
                self._running[trial.id] = ("", self._clock())
            case TrialPhase(trial=trial, phase=phase):
                _, since = self._running.get(trial.id, ("", self._clock()))
                self._running[trial.id] = (phase, since)
            case TrialRetried(trial=trial, attempt=attempt):
                if not self._as_json:
                    self.remark(f"  {trial.id}  again, after {attempt.error.code}")
            case TrialEnded(trial=trial, result=result):
                self._running.pop(trial.id, None)
                self._counts[result.status] += 1
                self._cost += result.cost.amount if result.cost is not None else 0.0
                self._ended(result)

    def _ended(self, result: TrialResult) -> None:
        if self._as_json:
            print(_line_of(result), flush=True)
            return
        style = STYLES[result.status]
        told = Text.assemble((MARKS[result.status], style), " ", plain(result.trial), "  ")
        told.append(plain(_in_words(result)), "" if result.status in {"failed", "error"} else "dim")
        self._console.print(told, soft_wrap=True)

    def _now(self) -> RenderableType:
        rows = Table.grid(padding=(0, 2))
        now = self._clock()
        shown = list(self._running.items())[:MAX_ROWS]
        for name, (phase, since) in shown:
            rows.add_row(
                Text("·", "cyan"), plain(name), Text(phase, "dim"), Text(_time(now - since), "dim")
            )
        if (more := len(self._running) - len(shown)) > 0:
            rows.add_row("", Text(f"and {more} more", "dim"))
        ended = self._kept + sum(self._counts.values())
        line = Table.grid(padding=(0, 2))
        facts = [
            f"{ended}/{self._trials}",
            *(f"{self._counts[name]} {name}" for name in STYLES if self._counts[name]),
            *([f"{self._cost:.2f} USD"] if self._cost else []),
            _time(now - self._began_at),
        ]
        line.add_row(
            ProgressBar(total=self._trials, completed=ended, width=BAR_CELLS),
            Text("  ".join(facts), no_wrap=True, overflow="ellipsis"),
        )
        return Group(rows, line) if shown else line


def show_plan(plan: Plan, done: Collection[str], *, as_json: bool) -> None:
    """What `batch run` would run."""
    left = [trial.id for trial in trials_of(plan) if trial.id not in done]
    if as_json:
        for name in left:
            print(json.dumps({"trial": name}))
        return
    for name in left:
        print(name)
    sizes = f"{count_of(len(plan.tasks), 'task')} × {count_of(len(plan.agents), 'agent')}"
    if plan.repeats > 1:
        sizes += f" × {plan.repeats} repeats"
    kept = f", {len(done)} of them done already" if done else ""
    print(f"{sizes}: {count_of(plan_size(plan), 'trial')}{kept}", file=sys.stderr)


def show_summary(summary: BatchSummary, directory: Path, *, as_json: bool) -> None:
    if as_json:
        for result in summary.results:
            print(_line_of(result))
        return
    agents = summary.agents
    columns = [(header, tell) for header, tell in _COLUMNS if any(tell(one) for one in agents)]
    print_table(
        ["agent", *(header for header, _ in columns)],
        [[one.agent, *(tell(one) or "-" for _, tell in columns)] for one in agents],
    )
    wrong = [result for result in summary.results if result.status in {"failed", "error"}]
    if wrong:
        print()
        print_table(
            ("not passed", "", ""),
            [(one.trial, one.status, _in_words(one)) for one in wrong[:MAX_LISTED]],
        )
        if len(wrong) > MAX_LISTED:
            print(f"and {len(wrong) - MAX_LISTED} more")
    remarks = []
    if summary.stopped is not None:
        remarks.append(f"stopped: {summary.stopped}")
    if summary.left:
        remarks.append(f"{count_of(summary.left, 'trial')} left: the same command goes on")
    if refused := sum(result.refused > 0 for result in summary.results):
        remarks.append(
            f"in {count_of(refused, 'trial')} the agent asked for something that was refused: --yes allows it"
        )
    remarks.append(f"results in {directory}")
    print("", *remarks, sep="\n", file=sys.stderr)


def _in_words(result: TrialResult) -> str:
    if result.error is not None:
        first = result.error.message.split("\n", 1)[0]
        tries = f" ({len(result.attempts)} attempts)" if len(result.attempts) > 1 else ""
        return f"{result.error.code}: {first}{tries}"
    facts = []
    if result.limit is not None:
        facts.append(f"stopped by {result.limit}")
    elif result.stop_reason not in {"end_turn", None}:
        facts.append(str(result.stop_reason))
    if result.grade is not None and result.status == "failed":
        facts.append(_grade(result))
    facts.append(_time(result.seconds))
    if result.cost is not None:
        facts.append(f"{result.cost.amount:.2f} {result.cost.currency}")
    return "  ".join(facts)


def _grade(result: TrialResult) -> str:
    grade = result.grade
    assert grade is not None
    if grade.timed_out:
        return "grading took too long"
    return f"exit status {grade.exit_code}" if grade.exit_code else f"score {grade.score:g}"


def _counted(name: str) -> Callable[[AgentSummary], str]:
    def tell(one: AgentSummary) -> str:
        count: int = getattr(one, name)
        return str(count) if count else ""

    return tell


def _passed(one: AgentSummary) -> str:
    graded = one.passed + one.failed
    return f"{one.passed}/{graded}  {one.passed / graded:.0%}" if graded else ""


_COLUMNS: Final[tuple[tuple[str, Callable[[AgentSummary], str]], ...]] = (
    ("passed", _passed),
    ("done", _counted("done")),
    ("errors", _counted("errors")),
    ("left", _counted("left")),
    ("score", lambda one: "" if one.score is None else f"{one.score:.2f}"),
    ("median", lambda one: "" if one.seconds is None else _time(one.seconds)),
    ("tokens", lambda one: "" if one.tokens is None else _short(one.tokens)),
    ("cost", lambda one: "" if one.cost is None else f"{one.cost:.2f} USD"),
)


def _time(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def _short(count: int) -> str:
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 1_000_000 else f"{count / 1_000_000:.1f}M"


def count_of(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def plan_size(plan: Plan) -> int:
    return len(plan.tasks) * len(plan.agents) * plan.repeats


def _line_of(result: TrialResult) -> str:
    wire: dict[str, Any] = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps(wire)
