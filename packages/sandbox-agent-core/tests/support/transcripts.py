"""Recorded ACP conversations of real agents: one JSON object a line, `{t, dir, line}`.

`dir` is `in` for what the client wrote and `out` for what the agent wrote; other lines (stderr,
the process) are passed over. Recorded with a scripted model, long lists cut to two elements.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

__all__ = ["ACP", "Recorded", "acp_transcripts", "read_transcript"]

ACP = Path(__file__).parent.parent / "transcripts" / "acp"
_SENDERS: dict[str, Literal["client", "agent"]] = {"in": "client", "out": "agent"}


class Recorded(NamedTuple):
    sender: Literal["client", "agent"]
    frame: Any
    time_s: float
    """Since the recording began."""


def read_transcript(path: Path) -> list[Recorded]:
    return list(_read(path))


def _read(path: Path) -> Iterator[Recorded]:
    for text in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(text)
        sender = _SENDERS.get(record["dir"])
        if sender is None:
            continue
        line = record["line"]
        yield Recorded(sender, json.loads(line) if isinstance(line, str) else line, record["t"])


def acp_transcripts() -> dict[str, Path]:
    """Every transcript, by `<agent>/<scenario>`."""
    return {f"{path.parent.name}/{path.stem}": path for path in sorted(ACP.glob("*/*.jsonl"))}
