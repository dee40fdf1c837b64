"""One trial from a sandbox to a result, in whatever process an engine calls it."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sandbox_agent_core.api.turns import LimitsRequest
from sandbox_agent_core.changes import ChangeTotals
from sandbox_agent_core.errors import InternalError, InvalidRequest, SandboxAgentError
from sandbox_agent_core.events import Cost, LimitKind, TokenUsage

from sandbox_agent_client._async.preparing import Preparation
from sandbox_agent_client._async.session import Session
from sandbox_agent_client._limits import Allowance, limits_of
from sandbox_agent_client._result import PromptResult
from sandbox_agent_client.batch.engine import BatchEvent, Results, TrialPhase, TrialRetried
from sandbox_agent_client.batch.plan import Grading, Trial
from sandbox_agent_client.batch.result import (
    Attempt,
    Grade,
    Phases,
    TrialError,
    TrialResult,
    TrialStatus,
)
from sandbox_agent_client.batch.results import DIFF, EVENTS, GRADE
from sandbox_agent_client.batch.retrying import is_transient, wait_before
from sandbox_agent_client.trials.grading import grade_of
from sandbox_agent_client.trials.record import Record, read_record, sum_costs, sum_usage
from sandbox_agent_client.trials.sandboxes import Place, Sandboxes, sandboxes_for
from sandbox_agent_client.workspace import Workspace

__all__ = ["missing_variables", "run_trial"]

logger = logging.getLogger(__name__)

STOP_GRACE_S: Final = 15.0
"""After its time is over, until a turn has ended with what it has left running."""
QUESTION_TIMEOUT_S: Final = 1.0
"""There is nobody who could answer one."""


async def run_trial(
    trial: Trial,
    *,
    results: Results,
    sandboxes: Sandboxes | None = None,
    environ: Mapping[str, str] = os.environ,
    observe: Callable[[BatchEvent], None] = lambda _event: None,
    lost: Sequence[Attempt] = (),
) -> TrialResult:
    """Run it, as often as its retries allow, and save what came of it.

    Does nothing where `results` have a verdict of it already. Without `sandboxes` it makes its own, as the trial says.
    What it can meet is in its result, which then has the status `error`. Cancelled, it leaves no sandbox and no result.
    `lost` are attempts of which nobody knows more, because what ran them has died: they count as those that failed.

    Raises:
        StorageError: the result could not be kept.
    """
    known = await results.find(trial.id)
    if known is not None and known.is_verdict:
        return known
    if sandboxes is not None:
        return await _Run(trial, results, sandboxes, environ, observe, lost).result()
    own = sandboxes_for(trial.sandbox, trial.batch)
    try:
        return await _Run(trial, results, own, environ, observe, lost).result()
    finally:
        await own.close()


def missing_variables(trial: Trial, environ: Mapping[str, str]) -> list[str]:
    wanted = dict.fromkeys((*trial.env, *trial.task.variables))
    return [name for name in wanted if name not in environ]


@dataclass(slots=True)
class _Outcome:
    """Of one attempt, as far as it came."""

    phase: str = "sandbox"
    seconds: dict[str, float] = field(default_factory=dict)
    sandbox: dict[str, object] | None = None
    session: str | None = None
    turns: int = 0
    last: PromptResult | None = None
    limit: LimitKind | None = None
    record: Record | None = None
    changes: ChangeTotals | None = None
    grade: Grade | None = None
    is_over: bool = False
    """All is known. What is left is to clean up."""

    @property
    def is_complete(self) -> bool:
        return self.record is not None and len(self.record.ends) >= self.turns


class _Run:
    def __init__(
        self,
        trial: Trial,
        results: Results,
        sandboxes: Sandboxes,
        environ: Mapping[str, str],
        observe: Callable[[BatchEvent], None],
        lost: Sequence[Attempt],
    ) -> None:
        self._trial = trial
        self._results = results
        self._sandboxes = sandboxes
        self._environ = environ
        self._observe = observe
        self._failed = [*lost]
        self._turns = sum(attempt.has_worked for attempt in lost)
        self._usage: list[TokenUsage | None] = [None] * self._turns
        self._costs: list[Cost | None] = [None] * self._turns

    async def result(self) -> TrialResult:
        began_at, clock = datetime.now(UTC), time.monotonic()
        while True:
            outcome = _Outcome()
            with tempfile.TemporaryDirectory(prefix="sandbox-agent-trial-") as files:
                error = await self._attempt(outcome, Path(files))
                if error is None or not self._may_go_on(error):
                    result = self._made(outcome, error, began_at, time.monotonic() - clock)
                    await self._results.save(result, Path(files))
                    return result
            self._observe(TrialRetried(trial=self._trial, attempt=self._failed[-1]))
            await asyncio.sleep(wait_before(len(self._failed) + 1, self._trial.retries))

    def _may_go_on(self, error: SandboxAgentError) -> bool:
        retries = self._trial.retries
        return len(self._failed) <= retries.times and is_transient(error, retries)

    async def _attempt(self, outcome: _Outcome, files: Path) -> SandboxAgentError | None:
        began_at = time.monotonic()
        try:
            await _Attempt(self._trial, outcome, files, self._environ, self._enter).run(
                self._sandboxes
            )
            return None
        except SandboxAgentError as exc:
            if outcome.is_over:
                logger.warning(
                    "the sandbox of %s may be left behind: %s", self._trial.id, exc.message
                )
                return None
            error = exc
        except Exception as exc:
            logger.exception("trial %s failed", self._trial.id)
            error = InternalError(f"{type(exc).__name__}: {exc}")
        finally:
            self._turns += outcome.turns
            if outcome.turns:
                # A turn whose end is not in the record has used nobody knows what.
                record = outcome.record if outcome.is_complete else None
                self._usage.append(record.usage if record else None)
                self._costs.append(record.cost if record else None)
        self._failed.append(
            Attempt(
                error=TrialError(code=error.code, message=error.message, details=error.details),
                seconds=round(time.monotonic() - began_at, 3),
                phase=outcome.phase,
            )
        )
        return error

    def _enter(self, phase: str) -> None:
        self._observe(TrialPhase(trial=self._trial, phase=phase))

    def _made(
        self,
        outcome: _Outcome,
        error: SandboxAgentError | None,
        began_at: datetime,
        seconds: float,
    ) -> TrialResult:
        trial, last, record = self._trial, outcome.last, outcome.record
        grade = outcome.grade
        return TrialResult(
            batch=trial.batch,
            trial=trial.id,
            task=trial.task.id,
            agent=trial.agent.label,
            model=trial.agent.model,
            repeat=trial.repeat,
            status=_status(error, outcome),
            grade=grade,
            error=self._failed[-1].error if error is not None else None,
            attempts=self._failed,
            stop_reason=last.stop_reason if last else None,
            limit=outcome.limit,
            text=last.final_text if last else "",
            turns=self._turns,
            model_calls=record.model_calls if record else None,
            usage=sum_usage(self._usage),
            cost=sum_costs(self._costs),
            changes=outcome.changes,
            refused=record.refused if record else 0,
            started_at=began_at,
            seconds=round(seconds, 3),
            phases=Phases(**{name: round(took, 3) for name, took in outcome.seconds.items()}),
            session=outcome.session,
            sandbox=outcome.sandbox,
            metadata=dict(trial.task.metadata),
        )


def _grace(limits: LimitsRequest | None) -> float | None:
    if limits is None or limits.timeout_seconds is None:
        return None
    return limits.timeout_seconds + STOP_GRACE_S


def _status(error: SandboxAgentError | None, outcome: _Outcome) -> TrialStatus:
    if error is not None:
        return "error"
    if outcome.grade is not None:
        return "passed" if outcome.grade.passed else "failed"
    last = outcome.last
    has_ended = last is not None and last.stop_reason == "end_turn" and outcome.limit is None
    return "done" if has_ended else "failed"


class _Attempt:
    def __init__(
        self,
        trial: Trial,
        outcome: _Outcome,
        files: Path,
        environ: Mapping[str, str],
        enter: Callable[[str], None],
    ) -> None:
        self._trial = trial
        self._task = trial.task
        self._outcome = outcome
        self._files = files
        self._environ = environ
        self._enter_phase = enter
        self._phase_began_at = time.monotonic()

    async def run(self, sandboxes: Sandboxes) -> None:
        """Raises: SandboxAgentError."""
        if missing := missing_variables(self._trial, self._environ):
            raise InvalidRequest(
                f"The environment of who runs {self._trial.id} has no {', '.join(missing)}."
            )
        self._enter("sandbox")
        async with sandboxes.place(self._trial) as place:
            ref = place.client.sandbox_ref
            self._outcome.sandbox = dict(ref.to_json()) if ref is not None else None
            self._enter("setup")
            root = await self._prepare(place)
            self._enter("agent")
            session = await self._open(place, root)
            try:
                await self._work(place, session, root)
            finally:
                # A session of a sandbox that lives on does not.
                await session.end()

    def _enter(self, phase: str) -> None:
        self._leave()
        self._outcome.phase = phase
        self._enter_phase(phase)

    def _leave(self) -> None:
        now = time.monotonic()
        self._outcome.seconds[self._outcome.phase] = now - self._phase_began_at
        self._phase_began_at = now

    async def _prepare(self, place: Place) -> str:
        workspace = self._task.made_workspace(self._environ)
        return await self._preparation(
            place, replace(workspace, setup=[*workspace.setup, *self._task.setup])
        )

    async def _preparation(self, place: Place, workspace: Workspace) -> str:
        client = place.client
        if place.directory is not None:
            workspace = replace(workspace, path=_inside(place.directory, workspace))
        preparation = Preparation(
            workspace,
            fs=client.fs,
            git=client.git,
            processes=client.processes,
            report=None,
            began_at=time.monotonic(),
        )
        return await preparation.run()

    async def _open(self, place: Place, root: str) -> Session:
        agent = self._trial.agent
        session = await place.client.create_session(
            agent.agent,
            cwd=root,
            model=agent.model,
            mode=agent.mode,
            thought_level=agent.thought_level,
            system_prompt=agent.system_prompt,
            base_url=agent.base_url,
            agent_options=agent.agent_options or None,
            env={name: self._environ[name] for name in self._trial.env} or None,
            permission_policy={
                "default": "allow" if self._trial.allow else "deny",
                "timeout_s": QUESTION_TIMEOUT_S,
            },
            title=self._trial.id,
            metadata={"batch": self._trial.batch, "trial": self._trial.id},
            diffs=True,
        )
        self._outcome.session = session.id
        return session

    async def _work(self, place: Place, session: Session, root: str) -> None:
        try:
            await self._prompt(session)
        except SandboxAgentError:
            # What it came to is to be seen, and paid for; why it failed is said by the error.
            try:
                await self._collect(session)
            except SandboxAgentError as exc:
                logger.info("trial %s: no record: %s", self._trial.id, exc.message)
            raise
        await self._collect(session)
        if self._task.grade is not None:
            self._enter("grade")
            self._outcome.grade = await self._grade(place, self._task.grade, root)
        self._leave()
        self._outcome.is_over = True

    async def _prompt(self, session: Session) -> None:
        bounds = self._trial.bounds
        allowance = Allowance.begun(
            limits_of(timeout=bounds.timeout, max_turns=bounds.max_turns, max_cost=bounds.max_cost),
            time.monotonic,
        )
        for number, prompt in enumerate(self._task.prompts, start=1):
            limits = allowance.limits
            self._outcome.turns += 1
            try:
                async with asyncio.timeout(_grace(limits)):
                    result = await session.prompt(
                        prompt,
                        timeout=limits.timeout_seconds if limits else None,
                        max_turns=limits.max_turns if limits else None,
                        max_cost=limits.max_cost if limits else None,
                        wait_for_background=True,
                    )
            except TimeoutError as exc:
                if isinstance(exc, SandboxAgentError):
                    raise  # some are errors of Python, too
                # The server stops the turn. What the agent has left running, a server say, might never end.
                await session.cancel(tasks=True, wait=True)
                self._outcome.limit = "timeout"
                return
            self._outcome.last = result
            self._outcome.limit = result.limit
            if result.stop_reason != "end_turn" or number == len(self._task.prompts):
                return
            if (spent := allowance.spent(result)) is not None:
                self._outcome.limit = spent
                return

    async def _collect(self, session: Session) -> None:
        events = await session.export("jsonl")
        (self._files / EVENTS).write_text(events, encoding="utf-8")
        self._outcome.record = read_record(events)
        try:
            diff = await session.diff()
        except SandboxAgentError as exc:
            # No git, or too much of it: that takes nothing away from what the agent has done.
            logger.info("trial %s: no diff: %s", self._trial.id, exc.message)
            return
        (self._files / DIFF).write_text(diff.patch, encoding="utf-8")
        if diff.skipped is None:
            self._outcome.changes = diff.totals

    async def _grade(self, place: Place, grading: Grading, root: str) -> Grade:
        hidden = Workspace.of({"path": root, "files": dict(grading.files)}, base=Path("/"))
        if hidden.files:
            await self._preparation(replace(place, directory=None), hidden)
        last = self._outcome.last
        done = await place.client.processes.run(
            grading.command,
            cwd=root,
            timeout=grading.timeout,
            input=last.final_text if last is not None else "",
        )
        output = done.stdout_bytes + done.stderr_bytes
        (self._files / GRADE).write_bytes(output)
        return grade_of(grading, done)


def _inside(directory: str, workspace: Workspace) -> str:
    """Raises: InvalidRequest."""
    path = os.fspath(workspace.path) if workspace.path is not None else ""
    if path.startswith("/") or ".." in Path(path).parts:
        raise InvalidRequest(
            f"`path` of the workspace is {path!r}: where several trials share a sandbox it is relative, within "
            "the directory of each"
        )
    if not path and workspace.repo is not None:
        path = "repository"
    return f"{directory}/{path}" if path else directory
