"""A log of Inspect as an `.eval` file. Apart from what makes the log: nobody else needs to import what packs it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any, Final

from sandbox_agent_core.lenient import compact

__all__ = ["inspect_archive", "write_inspect_archive"]

_IN_SUMMARY: Final = (
    "id", "epoch", "input", "target", "scores", "model_usage", "started_at", "completed_at", "total_time", "working_time",
    "uuid",
)  # fmt: skip


def inspect_archive(log: Mapping[str, Any]) -> bytes:
    """The log as an `.eval` file."""
    packed = io.BytesIO()
    header = {name: value for name, value in log.items() if name != "samples"}
    write_inspect_archive(packed, log.get("samples", ()), lambda: header)
    return packed.getvalue()


def write_inspect_archive(
    file: IO[bytes],
    samples: Iterable[Mapping[str, Any]],
    header: Callable[[], Mapping[str, Any]],
) -> None:
    """An `.eval` file: a zip of a log's header, its summaries and a file for each sample, of which Inspect's viewer reads
    only those that are looked at. Each sample is written before the next one is asked for, and after the last the header."""
    summaries: list[dict[str, Any]] = []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for sample in samples:
            _write(archive, f"samples/{sample['id']}_epoch_{sample['epoch']}.json", sample)
            summaries.append(_summary(sample))
        head = header()
        start = {"version": head["version"], "eval": head["eval"], "plan": head["plan"]}
        _write(archive, "_journal/start.json", start)
        _write(archive, "_journal/summaries/1.json", summaries)
        _write(archive, "summaries.json", summaries)
        _write(archive, "header.json", head)


def _summary(sample: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: sample[name] for name in _IN_SUMMARY if name in sample},
        **compact(
            error=sample["error"]["message"] if "error" in sample else None,
            limit=sample["limit"]["type"] if "limit" in sample else None,
        ),
        "completed": True,
        "message_count": len(sample["messages"]),
    }


def _write(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    # A fixed date: the same log is the same file.
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, json.dumps(value, ensure_ascii=False).encode())
