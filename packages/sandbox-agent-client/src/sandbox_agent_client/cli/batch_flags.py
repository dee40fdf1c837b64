"""What a batch is to be: the options of `batch run`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from sandbox_agent_client.batch.engine import Budget, Engine
from sandbox_agent_client.batch.engines import find_engine, installed_engines
from sandbox_agent_client.batch.plan import RETRIES, TRIAL_TIMEOUT_S, AgentSpec, Plan, Retries
from sandbox_agent_client.batch.runner import CONCURRENCY, plan_of
from sandbox_agent_client.cli.assignments import base_urls, duration, provider_options
from sandbox_agent_client.cli.completion import complete_agents, complete_providers
from sandbox_agent_client.cli.flags import takes_flags

__all__ = ["BatchFlags", "takes_batch_flags"]

BOUNDS, WHOLE, WHERE = "Bounds of each trial", "The whole batch", "Where it runs"


def _option(
    text: str, *names: str, panel: str | None = None, metavar: str | None = None, **more: Any
) -> Any:
    return typer.Option(
        *names, help=text, metavar=metavar, rich_help_panel=panel, show_default=False, **more
    )


@dataclass(frozen=True, kw_only=True)
class BatchFlags:
    agent: Annotated[
        list[str],
        _option(
            "Who does them: claude, codex, … or claude:opus with the model. Commas or repeats for more.",
            "--agent",
            metavar="NAME[:MODEL],…",
            autocompletion=complete_agents,
        ),
    ]
    repeats: Annotated[
        int, _option("Each task so often with each agent. Default: 1.", min=1, metavar="N")
    ] = 1
    sandbox: Annotated[
        str,
        _option(
            "local, docker, e2b, … Default: local.",
            panel=WHERE,
            metavar="NAME",
            autocompletion=complete_providers,
        ),
    ] = "local"
    option: Annotated[
        list[str] | None,
        _option(
            "An option of the sandbox's provider. Repeat for more.",
            "--option",
            "-o",
            panel=WHERE,
            metavar="KEY=VALUE",
        ),
    ] = None
    share_sandbox: Annotated[
        bool | None,
        _option(
            "One sandbox for all trials, with a directory for each. Default: only for local.",
            "--share-sandbox/--no-share-sandbox",
            panel=WHERE,
        ),
    ] = None
    pool: Annotated[
        int | None,
        _option(
            "So many sandboxes are made ahead of their trials.", panel=WHERE, min=1, metavar="N"
        ),
    ] = None
    concurrency: Annotated[
        int, _option(f"Trials at a time. Default: {CONCURRENCY}.", panel=WHERE, min=1, metavar="N")
    ] = CONCURRENCY
    engine: Annotated[
        str,
        _option(
            f"What carries it out: {', '.join(installed_engines())}. Default: local.",
            panel=WHERE,
            metavar="NAME",
        ),
    ] = "local"
    engine_option: Annotated[
        list[str] | None,
        _option("An option of the engine. Repeat for more.", panel=WHERE, metavar="KEY=VALUE"),
    ] = None
    timeout: Annotated[
        float,
        _option(
            f"How long the agent may work. Default: {TRIAL_TIMEOUT_S:g}.",
            panel=BOUNDS,
            min=0.001,
            metavar="SECONDS",
        ),
    ] = TRIAL_TIMEOUT_S
    max_turns: Annotated[
        int | None, _option("Round trips to the model.", panel=BOUNDS, min=1, metavar="N")
    ] = None
    max_cost: Annotated[
        float | None, _option("What it may cost.", panel=BOUNDS, min=0, metavar="USD")
    ] = None
    budget: Annotated[
        float | None,
        _option(
            "No further trial begins when so much is spent.", panel=WHOLE, min=0, metavar="USD"
        ),
    ] = None
    token_budget: Annotated[
        int | None, _option("As --budget, in tokens.", panel=WHOLE, min=1, metavar="N")
    ] = None
    time_budget: Annotated[
        str | None, _option("As --budget: 90s, 30m, 8h.", panel=WHOLE, metavar="TIME")
    ] = None
    retries: Annotated[
        int,
        _option(
            f"How often a trial is tried again whose sandbox, agent or model provider failed. Default: {RETRIES}.",
            panel=WHOLE,
            min=0,
            metavar="N",
        ),
    ] = RETRIES
    retry_on: Annotated[
        list[str] | None,
        _option(
            "Also after this error, by its code. Repeat for more.", panel=WHOLE, metavar="CODE"
        ),
    ] = None
    mode: Annotated[
        str | None,
        _option(
            "ask, accept-edits, read-only, plan, bypass, or one of the agent's own.", metavar="NAME"
        ),
    ] = None
    base_url: Annotated[
        list[str] | None,
        _option("Where model requests go. Repeat for more providers.", metavar="[PROVIDER=]URL"),
    ] = None
    env: Annotated[
        list[str] | None,
        _option("A variable of this environment that agents get. Repeat for more.", metavar="NAME"),
    ] = None
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Allow everything that agents ask for; on this machine it is refused otherwise.",
        ),
    ] = False

    def plan(self, tasks: Path) -> Plan:
        """Raises: typer.BadParameter, InvalidRequest."""
        if assigned := [name for name in self.env or [] if "=" in name]:
            raise typer.BadParameter(
                f"--env {assigned[0].partition('=')[0]}: only its name, since the plan is written down"
            )
        return plan_of(
            tasks,
            agents=self._agents(),
            repeats=self.repeats,
            sandbox=self.sandbox,
            sandbox_options=provider_options(self.option or []),
            share_sandbox=self.share_sandbox,
            pool=self.pool,
            bounds={
                "timeout": self.timeout,
                "max_turns": self.max_turns,
                "max_cost": self.max_cost,
            },
            retries=Retries(times=self.retries, also_on=tuple(self.retry_on or ())),
            env=self.env or (),
            allow=True if self.yes else None,
        )

    def made_engine(self) -> Engine:
        """Raises: InvalidRequest."""
        options = provider_options(self.engine_option or [])
        return find_engine(self.engine, concurrency=self.concurrency, **options)

    def made_budget(self) -> Budget:
        """Raises: typer.BadParameter."""
        time = duration(self.time_budget).total_seconds() if self.time_budget else None
        return Budget(max_cost=self.budget, max_tokens=self.token_budget, max_seconds=time)

    def _agents(self) -> Sequence[AgentSpec]:
        named = [name.strip() for item in self.agent for name in item.split(",")]
        own = {"mode": self.mode, "base_url": base_urls(self.base_url or [])}
        return [AgentSpec.model_validate(name).model_copy(update=own) for name in named if name]


takes_batch_flags = takes_flags(BatchFlags)
