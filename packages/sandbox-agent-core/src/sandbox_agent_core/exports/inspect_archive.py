"""A log of Inspect as an `.eval` file. Apart from what makes the log: nobody else needs to import what packs it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.lenient import compact

__all__ = ["inspect_archive"]

_IN_SUMMARY: Final = (
    "id", "epoch", "input", "target", "scores", "model_usage", "started_at", "completed_at", "total_time", "uuid",
)  # fmt: skip


def inspect_archive(log: Mapping[str, Any]) -> bytes:
    """The log as an `.eval` file: a zip of its header, its summaries and a file for each sample, of which Inspect's viewer
    reads only those that are looked at."""
    samples: list[dict[str, Any]] = log.get("samples", [])
    summaries = [
        {
            **{name: sample[name] for name in _IN_SUMMARY if name in sample},
            **compact(error=sample["error"]["message"] if "error" in sample else None),
            "completed": True,
            "message_count": len(sample["messages"]),
        }
        for sample in samples
    ]
    start = {"version": log["version"], "eval": log["eval"], "plan": log["plan"]}
    files: dict[str, Any] = {
        "_journal/start.json": start,
        "_journal/summaries/1.json": summaries,
        "header.json": {name: value for name, value in log.items() if name != "samples"},
        "summaries.json": summaries,
    }
    for sample in samples:
        files[f"samples/{sample['id']}_epoch_{sample['epoch']}.json"] = sample
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in files.items():
            # A fixed date: the same log is the same file.
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, json.dumps(value, ensure_ascii=False).encode())
    return packed.getvalue()
