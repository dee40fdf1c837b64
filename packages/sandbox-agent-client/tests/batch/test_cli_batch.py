"""`sandbox-agent batch`, as a program: killed in the middle and gone on with, interrupted, shown."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sandbox_agent_client.batch.results import DirectoryResults
from sandbox_agent_client.batch.runner import plan_of
from sandbox_agent_client.cli.batch import batch_app
from typer.testing import CliRunner

PROGRAM = [sys.executable, "-m", "sandbox_agent_client", "batch"]
DEADLINE_S = 60
TASKS = """\
- {id: quick, prompt: text, grade: grep -q fox}
- {id: slow, prompt: slow 600, timeout: 600}
- {id: after, prompt: work 1 0.25, grade: echo 0.5}
"""


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.yaml"
    path.write_text(TASKS)
    return path


def started(tasks: Path, out: Path, env: dict[str, str], *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, "run", tasks, "--agent", "mock", "--out", out, "--concurrency", "1", *more],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_the_first_result(out: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not (out / "results.jsonl").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_interrupted_it_says_what_is_left(
    tasks: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    out = tmp_path / "out"
    with started(tasks, out, environment) as process:
        wait_for_the_first_result(out)
        process.kill()
    lines = (out / "results.jsonl").read_text()
    assert [json.loads(line)["trial"] for line in lines.splitlines()] == ["quick.mock.1"]

    # The first signal lets the slow trial go on, so that there is a second.
    with started(tasks, out, environment) as process:
        assert process.stderr is not None
        assert "1 of 3 trials have a verdict already" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert "Ctrl-C again" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 130
    assert (out / "results.jsonl").read_text() == lines

    shown = CliRunner().invoke(batch_app, ["show", str(out)])
    assert shown.exit_code == 1
    assert shown.stdout.split() == ["agent", "passed", "left", "score", "median", "tokens",
                                    "mock", "1/1", "100%", "2", "1.00", *shown.stdout.split()[11:]]  # fmt: skip
    assert "2 trials left: the same command goes on" in shown.stderr
    dry = CliRunner().invoke(
        batch_app, ["run", str(tasks), "--agent", "mock", "--out", str(out), "--dry-run"]
    )
    assert dry.stdout.split() == ["slow.mock.1", "after.mock.1"]
    assert dry.stderr == "3 tasks × 1 agent: 3 trials, 1 of them done already\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--timeout", "5"], "bounds.timeout: was 3600.0, is 5.0"),
        (["--env", "KEY=s3cret"], "only its name"),
        (["--engine", "none"], "There is no engine 'none'. Installed: local"),
        (["--retry-on", "agent_auth_required"], "is never tried again"),
        (["--max-cost", "0"], "`max_cost`"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(
    arguments: list[str], problem: str, tmp_path: Path, tasks: Path
) -> None:
    out = tmp_path / "out"
    with DirectoryResults.opened(out, plan_of(tasks, agents="mock")):
        pass
    done = CliRunner().invoke(
        batch_app, ["run", str(tasks), "--agent", "mock", "--out", str(out), *arguments]
    )
    assert done.exit_code in {1, 2}
    said = " ".join(done.output.replace("│", " ").split())
    assert problem in said
    assert "s3cret" not in said
    assert sorted(path.name for path in out.iterdir()) == [".lock", "plan.json"]


def test_a_directory_without_results_has_nothing_to_show(tmp_path: Path) -> None:
    done = CliRunner().invoke(batch_app, ["show", str(tmp_path)])
    assert done.exit_code == 2
    assert "no results of a batch" in done.output
