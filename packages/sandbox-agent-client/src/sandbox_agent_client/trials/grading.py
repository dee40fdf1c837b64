"""What a grading command says of a trial."""

from __future__ import annotations

import json
import math
from typing import Any

from sandbox_agent_client._commands import CommandResult
from sandbox_agent_client.batch.plan import Grading
from sandbox_agent_client.batch.result import Grade

__all__ = ["grade_of"]


def grade_of(grading: Grading, done: CommandResult) -> Grade:
    if not done.ok:
        return Grade(passed=False, score=0.0, exit_code=done.exit_code, timed_out=done.timed_out)
    said = _last_line(done.stdout)
    if not isinstance(said, dict):
        # Words are for people: then the exit code has said all.
        said = {"score": said} if _is_number(said) else {}
    details = {name: value for name, value in said.items() if name not in {"passed", "score"}}
    if not _is_number(said.get("score", 0)) or not isinstance(said.get("passed", True), bool):
        # Nobody knows what it wanted to say, and a trial does not pass by that.
        return Grade(passed=False, score=0.0, exit_code=0, details=said)
    score = float(said.get("score", said.get("passed", True)))
    return Grade(
        passed=said.get("passed", score >= grading.threshold),
        score=score,
        exit_code=0,
        details=details,
    )


def _last_line(stdout: str) -> Any:
    lines = stdout.strip().split("\n")
    try:
        return json.loads(lines[-1], parse_constant=str)
    except (ValueError, RecursionError):
        return None


def _is_number(said: Any) -> bool:
    return isinstance(said, (int, float)) and not isinstance(said, bool) and math.isfinite(said)
