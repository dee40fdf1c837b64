"""What a batch is to do, as values that are JSON: tasks, agents, repeats; and each trial that follows from them.

Nothing here is a secret. What is one is in an environment variable of the process that runs a trial, and named here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    field_validator,
    model_validator,
)
from sandbox_agent_core.errors import InvalidRequest

from sandbox_agent_client.workspace import Workspace

__all__ = [
    "AgentSpec",
    "Bounds",
    "Grading",
    "Plan",
    "Retries",
    "SandboxChoice",
    "Task",
    "Trial",
    "trials_of",
]

GRADE_TIMEOUT_S: Final = 300.0
TRIAL_TIMEOUT_S: Final = 3600.0
"""Of a trial for which nothing else is said: an agent may leave something running that never ends."""
RETRIES: Final = 2
RETRY_WAIT_S: Final = 2.0

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}"
"""Of a task or an agent: it is in the names of directories, sessions and labels."""

Name = Annotated[str, Field(pattern=rf"^{_NAME}$")]
Command = Annotated[str, Field(min_length=1)] | Annotated[tuple[str, ...], Field(min_length=1)]
"""A line for `sh`, or a program and its arguments."""
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable of the process that runs a trial."""
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bounds(_Document):
    """Of one trial: all of its prompts together. A trial that is stopped by one is graded all the same."""

    timeout: Seconds | None = None
    """Seconds that the agent may work."""
    max_turns: Annotated[int, Field(ge=1)] | None = None
    """Round trips to the model."""
    max_cost: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """In USD."""

    def over(self, default: Bounds) -> Bounds:
        """These, and those of `default` where nothing is said here."""
        return Bounds(
            timeout=self.timeout if self.timeout is not None else default.timeout,
            max_turns=self.max_turns if self.max_turns is not None else default.max_turns,
            max_cost=self.max_cost if self.max_cost is not None else default.max_cost,
        )


class Grading(_Document):
    """How it is seen whether a trial has done what it should.

    The command runs in the workspace after the agent; the agent's last answer is on its stdin. Any exit code but 0 is a
    failure, with the score 0. With 0 the last line of its stdout decides, where that is a number (the score) or a
    JSON object with `score`, `passed` or both; else it has passed, with the score 1.
    """

    command: Command
    files: Mapping[str, str | Mapping[str, str]] = Field(default_factory=dict)
    """As those of a workspace, and written just before: the agent does not see them."""
    timeout: Seconds = GRADE_TIMEOUT_S
    threshold: float = 1.0
    """The score from which on a trial has passed, unless the command says `passed` itself."""

    @field_validator("files")
    @classmethod
    def _are_files(cls, files: Mapping[str, Any]) -> Mapping[str, Any]:
        _workspace({"files": dict(files)}, {})
        return files


def _grading(given: Any) -> Any:
    return {"command": given} if isinstance(given, (str, list, tuple)) else given


def _prompts(given: Any) -> Any:
    return [given] if isinstance(given, str) else given


def _members(given: Any) -> Any:
    """Raises: ValueError."""
    if given is None or isinstance(given, Mapping):
        return given
    if not isinstance(given, Workspace):
        raise ValueError("is a workspace, an object with `repo`, `files` and `setup`")
    try:
        return given.members()
    except InvalidRequest as exc:
        raise ValueError(exc.message) from exc


class Task(Bounds):
    """One thing that agents are to do."""

    id: Name
    prompts: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        BeforeValidator(_prompts),
        Field(min_length=1, alias="prompt"),
    ]
    """Given one after the other, in one session."""
    workspace: Annotated[Workspace | Mapping[str, Any] | None, PlainValidator(_members)] = None
    """Given as a `Workspace`; kept as its members, with absolute paths of files of this machine."""
    setup: tuple[Command, ...] = ()
    """Commands in the workspace, after those of the workspace itself."""
    grade: Annotated[Grading, BeforeValidator(_grading)] | None = None
    """None: a trial that ends is done, neither passed nor failed."""
    env: tuple[Variable, ...] = ()
    """Variables that the agent gets from the environment of who runs the trial, besides those of the plan."""
    metadata: Mapping[str, Any] = Field(default_factory=dict)
    """Yours: it comes back in each result."""

    model_config = ConfigDict(populate_by_name=True)

    @field_validator("workspace")
    @classmethod
    def _is_a_workspace(cls, members: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        credentials = (members or {}).get("credentials")
        if credentials is not None and not _names_a_variable(credentials):
            raise ValueError(
                '`credentials` would be written down: use `{"env": NAME}` with the variable that holds the token'
            )
        _workspace(members or {}, {})
        return members

    @property
    def variables(self) -> tuple[str, ...]:
        """All that the environment must have for it."""
        credentials = self._workspace_members.get("credentials")
        return (*self.env, *((credentials["env"],) if credentials else ()))

    def made_workspace(self, environ: Mapping[str, str]) -> Workspace:
        """`environ` has its credentials, if it has any."""
        return _workspace(self._workspace_members, environ)

    @property
    def _workspace_members(self) -> Mapping[str, Any]:
        assert not isinstance(self.workspace, Workspace)
        return self.workspace or {}


def _workspace(members: Mapping[str, Any], environ: Mapping[str, str]) -> Workspace:
    """Raises: ValueError."""
    made = dict(members)
    if credentials := made.pop("credentials", None):
        # Without the variable it is only looked whether all of it can be.
        made["credentials"] = environ.get(credentials["env"], "unknown")
    try:
        return Workspace.of(made, base=Path("/"))
    except InvalidRequest as exc:
        raise ValueError(exc.message) from exc


def _names_a_variable(credentials: Any) -> bool:
    return isinstance(credentials, Mapping) and set(credentials) == {"env"}


class AgentSpec(_Document):
    """An agent, and how its sessions are made."""

    agent: Annotated[str, Field(min_length=1)]
    label: Annotated[str, Field(pattern=rf"^{_NAME}$")] = ""
    """What it is called in results. Default: `agent`, or `agent-model`."""
    model: str | None = None
    mode: str | None = None
    thought_level: str | None = None
    system_prompt: str | None = None
    base_url: str | Mapping[str, str] | None = None
    """Where its model requests go; as for `create_session`."""
    agent_options: Mapping[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, given: Any) -> Any:
        """`claude`, or `claude:opus` with the model."""
        if isinstance(given, str):
            agent, has_model, model = given.partition(":")
            given = {"agent": agent, **({"model": model} if has_model else {})}
        if isinstance(given, dict) and not given.get("label"):
            named = "-".join(str(given[name]) for name in ("agent", "model") if given.get(name))
            given = {**given, "label": re.sub(r"[^A-Za-z0-9_.\-]+", "-", named).strip("-")[:100]}
        return given


class SandboxChoice(_Document):
    """Where trials run."""

    provider: str = "local"
    options: Mapping[str, Any] = Field(default_factory=dict)
    """Of the provider. Not its keys: they are in the environment of who runs the trial."""
    share: bool = False
    """One sandbox for many trials, with a directory for each, instead of a sandbox for each."""
    pool: Annotated[int, Field(ge=1)] | None = None
    """So many sandboxes are made ahead of the trials, in each process that runs some. None: each is made by its trial."""

    @model_validator(mode="after")
    def _has_something_to_pool(self) -> Self:
        if self.share and self.pool is not None:
            raise ValueError(
                "trials that share one sandbox have no use for a `pool`, which makes one for each ahead of time"
            )
        return self


class Retries(_Document):
    """Of trials that fail for reasons of their surroundings; see `batch.retrying`."""

    times: Annotated[int, Field(ge=0)] = RETRIES
    also_on: tuple[str, ...] = ()
    """Codes of errors that are tried again besides those that are by themselves."""
    wait: Seconds = RETRY_WAIT_S
    """Seconds before the second attempt; twice as long before each one after it."""


class Trial(_Document):
    """One task, one agent, one repeat: all that any process needs to run it."""

    batch: str
    """The id of the batch, `batch_…`: in the labels of its sandboxes."""
    id: str
    """The same for the same plan, whenever and wherever it is made: `task.agent.repeat`."""
    task: Task
    agent: AgentSpec
    repeat: Annotated[int, Field(ge=1)]
    bounds: Bounds
    sandbox: SandboxChoice
    env: tuple[Variable, ...]
    """All variables that the agent gets."""
    allow: bool
    """What the agent asks for is allowed; else it is refused."""
    retries: Retries


class Plan(_Document):
    """A batch. Two plans that are equal but for `id` have the same trials."""

    id: str
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    agents: Annotated[tuple[AgentSpec, ...], Field(min_length=1)]
    repeats: Annotated[int, Field(ge=1)] = 1
    sandbox: SandboxChoice = Field(default_factory=SandboxChoice)
    bounds: Bounds = Field(default_factory=Bounds)
    """Of tasks that have none of their own."""
    env: tuple[Variable, ...] = ()
    allow: bool = True
    retries: Retries = Field(default_factory=Retries)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        # In any case of letters, since there are file systems that know none.
        for kind, names in (
            ("task", [task.id.lower() for task in self.tasks]),
            ("agent", [agent.label.lower() for agent in self.agents]),
            ("trial", [trial.id.lower() for trial in trials_of(self)]),
        ):
            if twice := next((name for name, count in Counter(names).items() if count > 1), None):
                raise ValueError(f"two of them have the {kind} id {twice!r}")
        return self


def trials_of(plan: Plan) -> list[Trial]:
    """All of them, the first repeat of everything before the second."""
    return [
        Trial(
            batch=plan.id,
            id=f"{task.id}.{agent.label}.{repeat}",
            task=task,
            agent=agent,
            repeat=repeat,
            bounds=Bounds(**task.model_dump(include=set(Bounds.model_fields))).over(plan.bounds),
            sandbox=plan.sandbox,
            env=tuple(dict.fromkeys((*plan.env, *task.env))),
            allow=plan.allow,
            retries=plan.retries,
        )
        for repeat in range(1, plan.repeats + 1)
        for task in plan.tasks
        for agent in plan.agents
    ]
