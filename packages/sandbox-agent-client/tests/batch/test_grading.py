"""What a grading command says: its exit code, a number, an object."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_client import CommandResult
from sandbox_agent_client.batch import Grading
from sandbox_agent_client.trials.grading import grade_of


@pytest.mark.parametrize(
    ("stdout", "passed", "score", "details"),
    [
        ("", True, 1, {}),
        ("3 tests\nall well", True, 1, {}),
        ("some words\n0.75\n", False, 0.75, {}),
        ("1", True, 1, {}),
        ("12", True, 12, {}),
        ("true", True, 1, {}),
        ('{"score": 0.9, "cases": 3}', False, 0.9, {"cases": 3}),
        ('{"score": 0.2, "passed": true}', True, 0.2, {}),
        ('{"passed": false}', False, 0, {}),
        ('{"cases": 3}', True, 1, {"cases": 3}),
        ('{"score": "much"}', False, 0, {"score": "much"}),
        ('{"score": NaN}', False, 0, {"score": "NaN"}),
        ('{"passed": "yes"}', False, 0, {"passed": "yes"}),
    ],
)
def test_the_last_line_decides_where_the_exit_code_is_none(
    stdout: str, passed: bool, score: float, details: dict[str, Any]
) -> None:
    done = CommandResult(command="x", exit_code=0, stdout_bytes=stdout.encode())
    grade = grade_of(Grading(command="x"), done)
    assert (grade.passed, grade.score, grade.details) == (passed, score, details)


def test_any_other_exit_code_is_a_failure_whatever_is_printed() -> None:
    for code, timed_out in ((1, False), (None, False), (None, True)):
        done = CommandResult(
            command="x", exit_code=code, timed_out=timed_out, stdout_bytes=b'{"passed": true}'
        )
        grade = grade_of(Grading(command="x"), done)
        assert (grade.passed, grade.score, grade.timed_out) == (False, 0, timed_out)


def test_a_threshold_says_which_score_passes() -> None:
    done = CommandResult(command="x", exit_code=0, stdout_bytes=b"0.75")
    assert grade_of(Grading(command="x", threshold=0.7), done).passed
