"""Recorded sessions of real agents as events: those that speak ACP, and those that our adapters translate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox_agent_core.events import Event
from sandbox_agent_core.frames.entry import LogEntry
from sandbox_agent_core.projection import project

__all__ = ["recorded_sessions"]

_PACKAGES = Path(__file__).resolve().parents[2] / "packages"
_ACP = _PACKAGES / "sandbox-agent-core/tests/transcripts/acp"
_NATIVE = _PACKAGES / "sandbox-agent-server/tests/agents"
_NOON_MS = 1_795_435_200_000


def recorded_sessions() -> dict[str, list[Event]]:
    """By `agent/scenario`."""
    found = {
        f"{path.parent.name}/{path.stem}": _events(_acp(path)) for path in _ACP.glob("*/*.jsonl")
    }
    for path in _NATIVE.glob("*/golden/*.jsonl"):
        name = f"{path.parents[1].name}-native/{path.stem}"
        found[name] = _events(_native(path))
    return found


def _acp(path: Path) -> Iterator[tuple[str, Any]]:
    for line in path.read_text("utf-8").splitlines():
        record = json.loads(line)
        sender = {"in": "client", "out": "agent"}.get(record["dir"])
        if sender is not None:
            frame = record["line"]
            yield sender, json.loads(frame) if isinstance(frame, str) else frame


def _native(path: Path) -> Iterator[tuple[str, Any]]:
    """The frames that the adapter made; what it was asked is not in them."""
    for line in path.read_text("utf-8").splitlines():
        frame = json.loads(line).get("to_client")
        if frame is not None and "method" in frame:
            yield "agent", frame


def _events(frames: Iterator[tuple[str, Any]]) -> list[Event]:
    asked: dict[tuple[str, str | int], str] = {}
    found: list[Event] = []
    for seq, (sender, frame) in enumerate(frames, 1):
        method = frame.get("method")
        if method is None:
            other = "agent" if sender == "client" else "client"
            method = asked.pop((other, frame.get("id", "")), None)
        elif "id" in frame:
            asked[sender, frame["id"]] = method
        entry = LogEntry(
            session_id="ses_recorded",
            seq=seq,
            time_ms=_NOON_MS + seq,
            sender=sender,  # type: ignore[arg-type]
            payload=frame,
            turn_id="turn_1",
            method=method,
        )
        if (event := project(entry)) is not None:
            found.append(event)
    return found
