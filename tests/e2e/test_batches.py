"""Batches at a server of their own: workspaces, grades, bounds, retries, budgets, interruptions; and a real agent."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import BatchSummary, Budget, SandboxAgent, SandboxAgentSync, errors
from sandbox_agent_client.batch import (
    AgentSpec,
    BatchEvent,
    Retries,
    TrialEnded,
    TrialPhase,
    TrialRetried,
)
from support.fixtures import claude_env
from support.scripted_llm import ScriptedLLM
from support.server import ServerProcess

AGENT = Path(__file__).parents[1] / "support/shell_agent.py"
CONFIG = f'[agents.shell]\ncommand = ["{sys.executable}", "{AGENT}"]\n'
SOON = Retries(times=2, wait=0.01)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("batch-house"), config=CONFIG).start()
    yield server
    server.stop()


@pytest.fixture
async def client(house: ServerProcess) -> AsyncIterator[SandboxAgent]:
    async with SandboxAgent.connect(house.url, token=house.token) as client:
        yield client


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def statuses(summary: BatchSummary) -> dict[str, str]:
    return {result.trial: result.status for result in summary.results}


async def test_a_trial_has_its_workspace_its_grade_and_its_files(
    client: SandboxAgent, out: Path, tmp_path: Path
) -> None:
    (tmp_path / "hidden.txt").write_text("Hello\n")
    task = {
        "id": "greet",
        "prompt": ["echo Hello > greeting", "test -e hidden && rm greeting; echo $(pwd) > place"],
        "workspace": {"files": {"there": "before"}, "setup": ["test -e there"]},
        "setup": [["touch", "set up"]],
        "grade": {
            "command": "cat 'set up' && cmp hidden greeting && echo '{\"score\": 2, \"lines\": 1}'",
            "files": {"hidden": {"from": str(tmp_path / "hidden.txt")}},
        },
        "metadata": {"level": 3},
    }
    summary = await client.batch([task], agents="shell", out=out)
    [result] = summary.results
    assert (result.status, result.turns, result.stop_reason) == ("passed", 2, "end_turn")
    assert result.grade is not None
    assert (result.grade.score, result.grade.details) == (2, {"lines": 1})
    assert result.changes is not None
    assert result.changes.files == 2
    assert result.metadata == {"level": 3}
    files = out / "trials/greet.shell.1"
    patch = (files / "diff.patch").read_text()
    assert "+Hello" in patch
    assert "hidden" not in patch
    assert '"lines": 1' in (files / "grade.txt").read_text()
    events = [json.loads(line) for line in (files / "events.jsonl").read_text().splitlines()]
    assert sum(event["type"] == "turn.ended" for event in events) == 2
    # Its directory is gone.
    place = next(line for line in patch.splitlines() if line.startswith("+/"))[1:]
    assert not Path(place).exists()


async def test_the_agents_answer_is_what_the_grading_command_reads(
    client: SandboxAgent, out: Path
) -> None:
    tasks = [{"id": word, "prompt": "Say 42", "grade": f"grep -q {word}"} for word in ("42", "43")]
    summary = await client.batch(tasks, agents="mock", out=out)
    assert statuses(summary) == {"42.mock.1": "passed", "43.mock.1": "failed"}
    assert not summary.ok


async def test_bounds_stop_a_trial_which_is_graded_all_the_same(
    client: SandboxAgent, out: Path
) -> None:
    tasks: list[dict[str, Any]] = [
        {"id": "time", "prompt": "slow 600", "timeout": 0.3, "grade": "true"},
        {"id": "turns", "prompt": "work 9", "max_turns": 2},
        {"id": "cost", "prompt": ["work 2 0.5", "text never"], "max_cost": 0.9},
    ]
    summary = await client.batch(tasks, agents="mock", out=out, timeout=60)
    found = {result.task: result for result in summary.results}
    assert {name: result.limit for name, result in found.items()} == {
        "time": "timeout", "turns": "max_turns", "cost": "max_cost"
    }  # fmt: skip
    assert statuses(summary) == {
        "time.mock.1": "passed", "turns.mock.1": "failed", "cost.mock.1": "failed"
    }  # fmt: skip
    assert found["cost"].turns == 1
    assert found["cost"].cost is not None


async def test_what_an_agent_leaves_running_does_not_hold_up_a_batch(
    client: SandboxAgent, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox_agent_client.trials.trial.STOP_GRACE_S", 0.1)
    task = {"id": "t", "prompt": "background 600", "timeout": 1, "grade": "true"}
    [result] = (await client.batch([task], agents="mock", out=out)).results
    assert (result.status, result.limit) == ("passed", "timeout")


async def test_what_fails_by_its_surroundings_is_tried_again(
    client: SandboxAgent, out: Path, tmp_path: Path
) -> None:
    flaky = (
        f"n=$(cat {tmp_path}/n 2>/dev/null || echo 0); echo $((n+1)) > {tmp_path}/n; test $n -ge 1"
    )
    tasks = [
        {"id": "dies", "prompt": "crash"},
        {"id": "flaky", "prompt": "text", "setup": [flaky]},
        {"id": "wrong", "prompt": "text", "workspace": {"path": "/absolute"}},
    ]
    seen: list[BatchEvent] = []
    again = Retries(times=2, wait=0.01, also_on=("workspace_setup_failed",))
    summary = await client.batch(tasks, agents="mock", out=out, retries=again, observe=seen.append)
    found = {result.task: result for result in summary.results}
    assert {name: one.status for name, one in found.items()} == {
        "dies": "error", "flaky": "done", "wrong": "error"
    }  # fmt: skip
    assert {name: len(one.attempts) for name, one in found.items()} == {
        "dies": 3, "flaky": 1, "wrong": 1
    }  # fmt: skip
    assert found["dies"].error is not None
    assert found["dies"].error.code == "agent_process_exited"
    assert [attempt.phase for attempt in found["dies"].attempts] == ["agent"] * 3
    assert found["flaky"].attempts[0].phase == "setup"
    # What a crashed turn has used, nobody knows.
    assert (found["dies"].turns, found["dies"].cost) == (3, None)
    assert (out / "trials/dies.mock.1/events.jsonl").stat().st_size
    assert sum(isinstance(event, TrialRetried) for event in seen) == 3


async def test_the_same_call_goes_on_and_runs_only_what_has_no_verdict(
    client: SandboxAgent, out: Path, tmp_path: Path
) -> None:
    tasks = [
        {"id": "good", "prompt": f"echo ran >> {tmp_path}/runs"},
        {"id": "mended", "prompt": "true", "setup": [f"test -e {tmp_path}/mended"]},
    ]
    first = await client.batch(tasks, agents="shell", out=out)
    assert statuses(first) == {"good.shell.1": "done", "mended.shell.1": "error"}
    (tmp_path / "mended").touch()
    second = await client.batch(tasks, agents="shell", out=out)
    assert statuses(second) == {"good.shell.1": "done", "mended.shell.1": "done"}
    assert (tmp_path / "runs").read_text() == "ran\n"
    assert second.plan.id == first.plan.id
    with pytest.raises(errors.Conflict, match=r"repeats: was 1, is 2"):
        await client.batch(tasks, agents="shell", out=out, repeats=2)


async def test_a_budget_stops_handing_out_and_says_so(client: SandboxAgent, out: Path) -> None:
    tasks = [{"id": f"t{number}", "prompt": "work 1 0.4"} for number in range(5)]
    summary = await client.batch(
        tasks, agents="mock", out=out, concurrency=1, budget=Budget(max_cost=1)
    )
    assert (len(summary.results), summary.left, summary.ok) == (3, 2, False)
    assert summary.stopped == "the budget of 1 USD is used up (1.20 USD)"
    more = await client.batch(
        tasks, agents="mock", out=out, concurrency=1, budget=Budget(max_cost=5)
    )
    assert (more.left, more.stopped, more.ok) == (0, None, True)


async def test_variables_are_given_by_name_and_written_nowhere(
    client: SandboxAgent, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = {"id": "t", "prompt": 'test "$BATCH_KEY" = s3cret && touch has-it', "env": ["BATCH_KEY"]}
    with pytest.raises(errors.InvalidRequest, match="BATCH_KEY is not set"):
        await client.batch([task], agents="shell", out=out)
    monkeypatch.setenv("BATCH_KEY", "s3cret")
    summary = await client.batch([task], agents="shell", out=out)
    assert summary.results[0].changes is not None
    assert summary.results[0].changes.files == 1
    texts = [
        file.read_text()
        for file in out.rglob("*")
        if file.is_file() and file.name != "events.jsonl"
    ]
    assert "BATCH_KEY" in "".join(texts)
    values = [text for text in texts if "s3cret" in text.replace("= s3cret", "")]
    assert values == []


async def test_what_is_asked_for_is_refused_unless_it_is_allowed(
    client: SandboxAgent, out: Path
) -> None:
    tasks = [{"id": "may", "prompt": "permission"}, {"id": "ask", "prompt": "question"}]
    refused = await client.batch(tasks, agents="mock", out=out)
    assert {result.task: result.refused > 0 for result in refused.results} == {
        "may": True, "ask": True
    }  # fmt: skip
    allowed = await client.batch(tasks[:1], agents="mock", out=out.with_name("2"), allow=True)
    assert [result.refused for result in allowed.results] == [0]


async def test_a_batch_that_is_cancelled_leaves_nothing_running_and_goes_on(
    client: SandboxAgent, out: Path
) -> None:
    tasks = [{"id": "quick", "prompt": "text"}, {"id": "slow", "prompt": "slow 600", "timeout": 30}]
    at_work = asyncio.Event()

    def observe(event: BatchEvent) -> None:
        if isinstance(event, TrialEnded) and event.trial.task.id == "quick":
            ended.append(event.trial.id)
        if (
            isinstance(event, TrialPhase)
            and event.phase == "agent"
            and event.trial.task.id == "slow"
        ):
            at_work.set()
        if ended and at_work.is_set():
            both.set()

    ended: list[str] = []
    both = asyncio.Event()
    running = asyncio.create_task(client.batch(tasks, agents="mock", out=out, observe=observe))
    async with asyncio.timeout(60):
        await both.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    batch = json.loads((out / "plan.json").read_text())["id"]
    sessions = await client.list_sessions(metadata={"batch": batch})
    assert {session.info.status for session in sessions} == {"ended"}
    lines = (out / "results.jsonl").read_text().splitlines()
    assert [json.loads(line)["trial"] for line in lines] == ["quick.mock.1"]


def test_the_synchronous_client_has_it_too(house: ServerProcess, out: Path) -> None:
    seen: list[str] = []
    with SandboxAgentSync.connect(house.url, token=house.token) as client:
        summary = client.batch(
            ["text hello"], agents=["mock"], repeats=2, out=out,
            observe=lambda event: seen.append(type(event).__name__),
        )  # fmt: skip
    assert summary.ok
    assert seen.count("TrialEnded") == 2


async def test_a_long_session_is_kept_whole(client: SandboxAgent, out: Path) -> None:
    [result] = (await client.batch(["stream 300"], agents="mock", out=out)).results
    lines = (out / f"trials/{result.trial}/events.jsonl").read_text().splitlines()
    seqs = [json.loads(line)["seq"] for line in lines]
    assert len(seqs) > 300
    assert seqs == sorted(set(seqs))


async def test_many_trials_side_by_side(client: SandboxAgent, out: Path) -> None:
    tasks = [{"id": f"t{number}", "prompt": "text", "grade": "grep -q fox"} for number in range(4)]
    summary = await client.batch(tasks, agents="mock", repeats=2, out=out, concurrency=4)
    assert summary.ok
    assert len((out / "results.jsonl").read_text().splitlines()) == 8


@pytest.mark.real_agent
async def test_a_real_agent_is_graded_by_what_it_has_done(
    make_server: Callable[..., ServerProcess],
    claude_binary: Path,
    scripted_llm: ScriptedLLM,
    tmp_path: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = json.dumps([str(claude_binary)])
    server = make_server(config=f"[agents.claude]\ncommand = {command}\n").start()
    home = tmp_path / "home"
    home.mkdir()
    env = claude_env(home, scripted_llm)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    task = {
        "id": "made",
        "prompt": "SCENARIO:tool SHELL<<touch made && echo made>>",
        "grade": "test -e made",
    }
    async with SandboxAgent.connect(server.url, token=server.token) as client:
        summary = await client.batch(
            [task],
            agents=[
                AgentSpec(agent="claude"),
                AgentSpec(agent="claude", mode="plan", label="planner"),
            ],
            out=out,
            env=list(env),
            allow=True,
        )
    done = {result.agent: result for result in summary.results}
    assert done["claude"].status == "passed"
    assert done["claude"].tokens
    assert done["claude"].changes is not None
    assert done["claude"].changes.files == 1
    assert done["planner"].status == "failed"
