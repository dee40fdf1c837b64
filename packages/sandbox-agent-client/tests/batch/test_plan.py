"""From a plan to its trials, and what cannot be one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import Workspace, errors
from sandbox_agent_client.batch import AgentSpec, Plan, Task, trials_of
from sandbox_agent_client.batch.plan import Retries
from sandbox_agent_client.batch.retrying import is_transient, wait_before
from sandbox_agent_client.batch.runner import plan_of


def plan(tasks: Any = ("x",), **given: Any) -> Plan:
    return plan_of(tasks, **{"agents": "mock", **given})


def test_the_trials_of_equal_plans_are_the_same() -> None:
    made = plan(
        [{"id": "a", "prompt": "x", "timeout": 5}, {"id": "b", "prompt": "y", "env": ["KEY"]}],
        agents=["claude", "codex:gpt-5/high"],
        repeats=2,
        bounds={"timeout": 60, "max_turns": 3},
        env=["HOST"],
    )
    trials = trials_of(made)
    assert [trial.id for trial in trials] == [
        f"{task}.{agent}.{repeat}"
        for repeat in (1, 2)
        for task in "ab"
        for agent in ("claude", "codex-gpt-5-high")
    ]
    assert [(t.bounds.timeout, t.bounds.max_turns, t.env) for t in trials[1:3]] == [
        (5, 3, ("HOST",)),
        (60, 3, ("HOST", "KEY")),
    ]
    read = Plan.model_validate_json(made.model_dump_json(by_alias=True))
    assert trials_of(read) == trials
    assert pickle.loads(pickle.dumps(trials)) == trials


def test_on_this_machine_nothing_is_allowed_unless_it_is_said() -> None:
    assert (plan().allow, plan(allow=True).allow) == (False, True)
    assert plan(sandbox="docker").allow
    assert (plan().sandbox.share, plan(sandbox="docker").sandbox.share) == (True, False)
    assert not plan(pool=2).sandbox.share


def test_an_agent_is_a_name_or_more() -> None:
    named = AgentSpec.model_validate("claude:us.opus-4:1")
    assert (named.agent, named.model, named.label) == (
        "claude",
        "us.opus-4:1",
        "claude-us.opus-4-1",
    )
    planner = AgentSpec(agent="claude", mode="plan", label="planner")
    assert [one.label for one in plan(agents=["claude", planner]).agents] == ["claude", "planner"]


def test_a_workspace_may_be_given_as_what_it_is(tmp_path: Path) -> None:
    workspace = Workspace(
        repo="https://example.com/app",
        credentials={"env": "TOKEN"},
        path=Path("app"),
        files={"a": "text", "b": b"bytes", "c": tmp_path / "c"},
        setup=["true", ("touch", "d")],
        setup_timeout=5,
    )
    # With names that a checker of types knows, too.
    [task] = plan([Task(id="x", prompts=("x",), workspace=workspace)]).tasks
    assert Task.model_validate_json(task.model_dump_json(by_alias=True)) == task
    assert task.workspace == {
        "repo": "https://example.com/app",
        "credentials": {"env": "TOKEN"},
        "path": "app",
        "files": {"a": "text", "b": "bytes", "c": {"from": str(tmp_path / "c")}},
        "setup": ["true", ["touch", "d"]],
        "setup_timeout": 5,
    }
    made = task.made_workspace({"TOKEN": "s3cret"})
    assert (made.credentials, made.files["c"]) == ("s3cret", tmp_path / "c")
    for given, problem in (
        (Workspace(repo="https://example.com/app", credentials="s3cret"), "written down"),
        (Workspace(files={"a": b"\xff"}), "no text"),
    ):
        with pytest.raises(errors.InvalidRequest, match=problem) as caught:
            plan([{"prompt": "x", "workspace": given}])
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"tasks": []}, "with at least one"),
        ({"tasks": [{"id": "a", "prompt": "x"}, {"id": "A", "prompt": "x"}]}, "task id 'a'"),
        ({"agents": ["mock", "mock"]}, "agent id 'mock'"),
        ({"agents": []}, "`agents`"),
        ({"repeats": 0}, "`repeats`"),
        ({"pool": 0}, "`pool`"),
        ({"pool": 2, "share_sandbox": True}, "no use for a `pool`"),
        ({"bounds": {"max_cost": 0}}, "`max_cost`"),
        ({"env": ["A=B"]}, "`env"),
        ({"retries": Retries(also_on=("nothing",))}, "There is no error 'nothing'"),
        ({"retries": Retries(also_on=("quota_exceeded",))}, "is never tried again"),
    ],
)
def test_what_is_no_plan(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=problem):
        plan(**given)


@pytest.mark.parametrize(
    ("error", "is_tried_again"),
    [
        (errors.AgentRateLimited("later"), True),
        (errors.ProviderQuotaExceeded("later"), True),
        (errors.ServerUnreachable("gone"), True),
        (errors.SandboxNotFound("gone"), True),
        (errors.AgentProcessExited("dead"), True),
        (errors.AgentProcessExited("dead", reason="out_of_memory"), False),
        (errors.AgentAuthRequired("no key"), False),
        (errors.QuotaExceeded("no money"), False),
        (errors.InvalidRequest("no"), False),
        (errors.CostUnknown("no"), False),
        (errors.WorkspaceSetupFailed("npm"), False),
    ],
)
def test_what_is_of_the_surroundings_is_tried_again(
    error: errors.SandboxAgentError, is_tried_again: bool
) -> None:
    assert is_transient(error, Retries()) is is_tried_again


def test_an_error_that_is_named_is_tried_again_too() -> None:
    asked = Retries(also_on=("workspace_setup_failed", "quota_exceeded"))
    assert is_transient(errors.WorkspaceSetupFailed("npm"), asked)
    assert not is_transient(errors.QuotaExceeded("no money"), asked)


def test_each_attempt_is_waited_for_twice_as_long() -> None:
    waits = [wait_before(number, Retries(wait=8)) for number in (2, 3, 4, 20)]
    for wait, most in zip(waits, (8, 16, 32, 120), strict=True):
        assert most * 0.75 <= wait <= most
