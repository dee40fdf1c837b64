"""Runs in the environment of the readers: `read_exports.py DIRECTORY HARBOR` reads every file there and prints what it found."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

directory, harbor = Path(sys.argv[1]), sys.argv[2]
sys.path.append(harbor)

from atif import Trajectory  # noqa: E402
from harbor.utils.trajectory_validator import TrajectoryValidator  # noqa: E402
from inspect_ai.log import read_eval_log  # noqa: E402


def atif(file: Path) -> dict[str, Any]:
    validator = TrajectoryValidator()
    validator.validate(file)
    trajectory = Trajectory.model_validate_json(file.read_bytes())
    return {"problems": validator.errors, "steps": len(trajectory.steps)}


def inspect(file: Path) -> dict[str, Any]:
    log = read_eval_log(str(file))
    messages = [message for sample in log.samples or [] for message in sample.messages]
    return {
        "problems": [],
        "status": log.status,
        "model": log.eval.model,
        "samples": [[sample.id, sample.epoch] for sample in log.samples or []],
        "roles": [message.role for message in messages],
        "text": [message.text for message in messages],
        "calls": [call.id for one in messages for call in getattr(one, "tool_calls", None) or []],
        "events": [event.event for sample in log.samples or [] for event in sample.events],
        "scores": [
            {name: score.value for name, score in (sample.scores or {}).items()}
            for sample in log.samples or []
        ],
        "tokens": {name: usage.total_tokens for name, usage in log.stats.model_usage.items()},
        "errors": [sample.error.message for sample in log.samples or [] if sample.error],
    }


found: dict[str, Any] = {}
for path in sorted(directory.iterdir()):
    if path.name.endswith((".atif.json", ".inspect.json", ".eval")):
        read = atif if path.name.endswith(".atif.json") else inspect
        try:
            found[path.name] = read(path)
        except Exception as exc:
            found[path.name] = {"problems": [repr(exc)]}
print(json.dumps(found))
