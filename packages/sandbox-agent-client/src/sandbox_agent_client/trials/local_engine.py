"""The engine that is always there: trials side by side in this process, by asyncio."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Final

from sandbox_agent_core.errors import InvalidRequest

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client._cancellation import outlast
from sandbox_agent_client.batch.engine import (
    BatchEvent,
    Budget,
    Results,
    ServerPlace,
    TrialEnded,
    TrialStarted,
)
from sandbox_agent_client.batch.handout import Handout
from sandbox_agent_client.batch.plan import Plan, trials_of
from sandbox_agent_client.trials.sandboxes import Sandboxes, SharedSandbox, sandboxes_for, sweep
from sandbox_agent_client.trials.trial import missing_variables, run_trial

__all__ = ["LocalEngine"]

CLEANUP_TIMEOUT_S: Final = 120.0


class LocalEngine:
    name = "local"

    def __init__(self, *, concurrency: int, at: ServerPlace | None = None) -> None:
        """`at`: all trials in this server, which stays, instead of in sandboxes that are made."""
        self._concurrency = concurrency
        self._at = at

    async def run(
        self,
        plan: Plan,
        *,
        results: Results,
        budget: Budget,
        observe: Callable[[BatchEvent], None],
        stopping: asyncio.Event,
    ) -> str | None:
        """As `Engine.run`.

        Raises:
            InvalidRequest: a variable of the plan is not in the environment of this process.
            StorageError: a result could not be kept.
        """
        _check_variables(plan)
        handout = Handout(plan, await results.all(), budget, clock=time.monotonic)
        if self._at is None:
            # Of a run before this one, which was killed.
            await sweep(plan.sandbox, plan.id)
        sandboxes = self._sandboxes(plan, trials=handout.left)

        async def work() -> None:
            while not stopping.is_set() and (trial := handout.next()) is not None:
                observe(TrialStarted(trial=trial))
                result = await run_trial(
                    trial, results=results, sandboxes=sandboxes, observe=observe
                )
                handout.take(result)
                observe(TrialEnded(trial=trial, result=result))

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._concurrency):
                    tasks.create_task(work())
        except BaseExceptionGroup as group:
            # Results that cannot be kept: the others have been cancelled because of the first.
            raise group.exceptions[0] from None
        finally:
            # Also when this is cancelled, and again.
            closing = asyncio.ensure_future(self._close(sandboxes, plan))
            await outlast(closing, timeout_s=CLEANUP_TIMEOUT_S)
        return handout.stopped or ("it was interrupted" if handout.left else None)

    def _sandboxes(self, plan: Plan, *, trials: int) -> Sandboxes:
        if self._at is None:
            return sandboxes_for(
                plan.sandbox, plan.id, concurrency=self._concurrency, trials=trials
            )
        at = self._at
        return SharedSandbox(lambda: _at_server(at))

    async def _close(self, sandboxes: Sandboxes, plan: Plan) -> None:
        await sandboxes.close()
        if self._at is None:
            await sweep(plan.sandbox, plan.id)


async def _at_server(at: ServerPlace) -> SandboxAgent:
    if at.ref is not None:
        return await SandboxAgent.start(at.provider, ref=at.ref)
    return await SandboxAgent.connect(
        at.endpoint.url,
        token=at.endpoint.token,
        token_header=at.endpoint.token_header,
        headers=at.endpoint.headers,
    )


def _check_variables(plan: Plan) -> None:
    """Raises: InvalidRequest."""
    for trial in trials_of(plan):
        if missing := missing_variables(trial, os.environ):
            raise InvalidRequest(
                f"{', '.join(missing)} is not set, and the agent of {trial.task.id} is to have it.",
                variables=missing,
            )
