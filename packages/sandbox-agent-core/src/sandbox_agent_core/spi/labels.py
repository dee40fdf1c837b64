"""The labels of a sandbox of ours: how `sandbox-agent sandboxes` finds it again when its maker is gone.

Names and values are letters, digits, `-`, `_` and `.`, at most 63: every provider takes those.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

__all__ = [
    "CREATED",
    "KEPT",
    "OURS",
    "POOL",
    "RUN",
    "VERSION",
    "created_at",
    "is_ours",
    "own_labels",
]

OURS = "sandbox-agent"
"""Its value is always `1`."""
VERSION = "sandbox-agent-version"
RUN = "sandbox-agent-run"
"""One start of one sandbox by one client."""
CREATED = "sandbox-agent-created"
"""Seconds since 1970, for providers that do not tell."""
KEPT = "sandbox-agent-kept"
"""`1` when the maker wanted it to stay: a sweep spares it."""
POOL = "sandbox-agent-pool"
"""The name of the pool that it was made for."""

_LONGEST_VALUE = 63


def own_labels(
    *, run_id: str, version: str, now: datetime, keep: bool, pool: str | None = None
) -> dict[str, str]:
    labels = {
        OURS: "1",
        VERSION: _safe(version),
        RUN: _safe(run_id),
        CREATED: str(int(now.timestamp())),
    }
    if keep:
        labels[KEPT] = "1"
    if pool is not None:
        labels[POOL] = _safe(pool)
    return labels


def is_ours(labels: Mapping[str, str]) -> bool:
    return OURS in labels


def created_at(labels: Mapping[str, str]) -> datetime | None:
    text = labels.get(CREATED, "")
    return datetime.fromtimestamp(int(text), UTC) if re.fullmatch(r"\d{1,11}", text) else None


def _safe(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", value)[:_LONGEST_VALUE]
