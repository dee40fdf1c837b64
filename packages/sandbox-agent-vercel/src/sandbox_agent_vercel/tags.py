"""Our labels as tags of Vercel, which takes five for a sandbox: those of ours need two."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.spi.labels import CREATED, KEPT, OURS, RUN, VERSION

from sandbox_agent_vercel.errors import PROVIDER

__all__ = ["MOST_LABELS", "MOST_TAGS", "from_tags", "to_tags"]

MOST_TAGS = 5
MOST_LABELS = MOST_TAGS - 2
"""That a caller can give."""
FACTS = "sandbox-agent-facts"
"""Version, run, and whether it was kept. When it was made Vercel says itself."""
_SEPARATOR = "--"
_PACKED = (OURS, VERSION, RUN, CREATED, KEPT)


def to_tags(labels: Mapping[str, str]) -> dict[str, str]:
    """Raises: InvalidRequest when there are more than Vercel takes."""
    others = {name: value for name, value in labels.items() if name not in _PACKED}
    if len(others) > MOST_LABELS:
        raise InvalidRequest(
            f"A Vercel sandbox takes {MOST_LABELS} labels besides ours; these are {len(others)}: "
            f"{', '.join(others)}.",
            provider=PROVIDER,
        )
    facts = _SEPARATOR.join(labels.get(name, "") for name in (VERSION, RUN, KEPT))
    return {OURS: "1", FACTS: facts, **others}


def from_tags(tags: Mapping[str, str], created_at: datetime | None) -> dict[str, str]:
    labels = {name: value for name, value in tags.items() if name != FACTS}
    facts = tags.get(FACTS, "").split(_SEPARATOR)
    labels |= {
        name: value for name, value in zip((VERSION, RUN, KEPT), facts, strict=False) if value
    }
    if created_at is not None:
        labels[CREATED] = str(int(created_at.timestamp()))
    return labels
