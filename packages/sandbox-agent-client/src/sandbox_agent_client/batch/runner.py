"""A batch from tasks to a summary: what a program calls, and what the command line is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.ids import new_id

from sandbox_agent_client.batch.engine import BatchEvent, Budget, Engine
from sandbox_agent_client.batch.engines import find_engine
from sandbox_agent_client.batch.plan import (
    RETRIES,
    TRIAL_TIMEOUT_S,
    AgentSpec,
    Bounds,
    Plan,
    Retries,
    SandboxChoice,
    Task,
)
from sandbox_agent_client.batch.results import DirectoryResults
from sandbox_agent_client.batch.retrying import check_codes
from sandbox_agent_client.batch.summary import BatchSummary
from sandbox_agent_client.batch.tasks_file import load_tasks, tasks_of

__all__ = ["CONCURRENCY", "Agents", "Tasks", "carry_out", "plan_of", "run_batch"]

CONCURRENCY: Final = 4
LOCAL: Final = "local"

Tasks = str | PathLike[str] | Iterable[Task | Mapping[str, Any] | str]
"""A tasks file; or tasks, mappings with the members of one, or prompts."""
Agents = str | AgentSpec | Sequence[str | AgentSpec | Mapping[str, Any]]


async def run_batch(
    tasks: Tasks,
    *,
    agents: Agents,
    out: str | PathLike[str],
    repeats: int = 1,
    sandbox: str = LOCAL,
    sandbox_options: Mapping[str, Any] | None = None,
    share_sandbox: bool | None = None,
    pool: int | None = None,
    concurrency: int = CONCURRENCY,
    timeout: float = TRIAL_TIMEOUT_S,
    max_turns: int | None = None,
    max_cost: float | None = None,
    budget: Budget | None = None,
    retries: int | Retries = RETRIES,
    env: Sequence[str] = (),
    allow: bool | None = None,
    engine: str | Engine = LOCAL,
    engine_options: Mapping[str, Any] | None = None,
    observe: Callable[[BatchEvent], None] | None = None,
    stopping: asyncio.Event | None = None,
) -> BatchSummary:
    """Give every task to every agent, `repeats` times, `concurrency` trials at a time; what came of each is in `out`.

        summary = await run_batch("tasks.yaml", agents=["claude", "codex"], sandbox="docker", out="results")
        for result in summary.results:
            print(result.task, result.agent, result.status, result.cost)

    Called again with the same arguments it goes on where it stopped: trials that have a verdict are not run again, those
    that ended in an error are. `tasks` are a file (`.yaml`, `.json`, `.jsonl`, `.toml`), or tasks, mappings or prompts.
    An agent is a name, `claude:opus` with its model, or an `AgentSpec`.

    Each trial has a sandbox of its own, with `sandbox_options` of its provider; on this machine (`local`) a directory
    of its own at one server, which `share_sandbox` says for others, too. With `pool=N`, N of them are made ahead of their
    trials (`SandboxPool`), as long as the batch goes on. `timeout` (seconds), `max_turns` and
    `max_cost` (USD) bound each trial whose task says nothing else, `budget` bounds all of it. `env` are names of
    variables that the agents get from this process. What an agent asks for is allowed (`allow`), but on this machine,
    where it is refused unless that is said. `observe` is told what happens. When `stopping` is set no further trial
    begins, and those that run come to their end; cancelled, they end at once. No sandbox is left in either case.

    Raises:
        InvalidRequest: a task, an agent, an option or a variable is not possible.
        Conflict: `out` has the results of another plan (`details.differences`), or another batch writes there.
        StorageError: the results cannot be kept.
    """
    plan = plan_of(
        tasks,
        agents=agents,
        repeats=repeats,
        sandbox=sandbox,
        sandbox_options=sandbox_options,
        share_sandbox=share_sandbox,
        pool=pool,
        bounds={"timeout": timeout, "max_turns": max_turns, "max_cost": max_cost},
        retries=retries,
        env=env,
        allow=allow,
    )
    made = find_engine(engine, concurrency=_checked(concurrency), **(engine_options or {}))
    return await carry_out(
        plan, out, engine=made, budget=budget or Budget(), observe=observe, stopping=stopping
    )


async def carry_out(
    plan: Plan,
    out: str | PathLike[str],
    *,
    engine: Engine,
    budget: Budget,
    observe: Callable[[BatchEvent], None] | None = None,
    stopping: asyncio.Event | None = None,
) -> BatchSummary:
    """Raises what `run_batch` raises."""
    with DirectoryResults.opened(Path(out), plan) as (results, plan):
        stopped = await engine.run(
            plan,
            results=results,
            budget=budget,
            observe=observe or (lambda _event: None),
            stopping=stopping or asyncio.Event(),
        )
        return BatchSummary.of(plan, await results.all(), stopped=stopped)


def plan_of(
    tasks: Tasks,
    *,
    agents: Agents,
    repeats: int = 1,
    sandbox: str = LOCAL,
    sandbox_options: Mapping[str, Any] | None = None,
    share_sandbox: bool | None = None,
    pool: int | None = None,
    bounds: Mapping[str, Any] | None = None,
    retries: int | Retries = RETRIES,
    env: Sequence[str] = (),
    allow: bool | None = None,
) -> Plan:
    """The batch that these ask for. Raises: InvalidRequest."""
    loaded = load_tasks(tasks) if isinstance(tasks, (str, PathLike)) else tasks_of(tasks)
    is_here = sandbox == LOCAL
    try:
        made = retries if isinstance(retries, Retries) else Retries(times=retries)
        check_codes(made.also_on)
        return Plan(
            id=new_id("batch"),
            tasks=tuple(loaded),
            agents=tuple(_agents(agents)),
            repeats=repeats,
            sandbox=SandboxChoice(
                provider=sandbox,
                options=sandbox_options or {},
                share=is_here and pool is None if share_sandbox is None else share_sandbox,
                pool=pool,
            ),
            bounds=Bounds.model_validate({"timeout": TRIAL_TIMEOUT_S, **(bounds or {})}),
            retries=made,
            env=tuple(env),
            allow=not is_here if allow is None else allow,
        )
    except ValidationError as exc:
        raise InvalidRequest("; ".join(_problem(error) for error in exc.errors())) from exc


def _agents(given: Agents) -> list[AgentSpec]:
    listed = [given] if isinstance(given, (str, AgentSpec)) else given
    return [AgentSpec.model_validate(one) for one in listed]


def _problem(error: Any) -> str:
    where = ".".join(map(str, error["loc"]))
    message = error["msg"].removeprefix("Value error, ")
    return f"`{where}`: {message}" if where else message


def _checked(concurrency: int) -> int:
    if concurrency < 1:
        raise InvalidRequest(f"`concurrency` is at least 1, not {concurrency}")
    return concurrency
