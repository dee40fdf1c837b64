"""Two versions of an agent beside each other, as a report that a person reads and an exit code that a machine does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["AgentDrift", "render"]

MAX_SHOWN = 12
"""Names in one line of the report."""
_UNPARSED = "unparsed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDrift:
    """Of one agent. Where the newest version is the pinned one, there is nothing beside it."""

    agent: str
    pinned: str
    newest: str | None
    """None when it could not be installed; then `failure` says why."""
    failure: str | None = None
    rows: Mapping[str, bool] = field(default_factory=dict)
    rows_before: Mapping[str, bool] | None = None
    messages: Counter[str] = field(default_factory=Counter)
    messages_before: Counter[str] | None = None
    schema: Collection[str] | None = None
    schema_before: Collection[str] | None = None
    unknown_methods: Collection[str] = ()
    """Of the newest version's schema: what it may send and our adapter does not mention."""

    @property
    def is_another(self) -> bool:
        return self.newest is not None and self.newest != self.pinned

    @property
    def failing(self) -> list[str]:
        return sorted(row for row, passed in self.rows.items() if not passed)

    @property
    def broken(self) -> list[str]:
        """What fails, and did not with the pinned version."""
        before = self.rows_before or {}
        return [row for row in self.failing if before.get(row, True)]

    @property
    def mended(self) -> list[str]:
        before = self.rows_before or {}
        return sorted(row for row, passed in before.items() if not passed and self.rows.get(row))

    @property
    def unparsed(self) -> int:
        return sum(count for kind, count in self.messages.items() if kind.startswith(_UNPARSED))

    @property
    def news(self) -> list[str]:
        """Kinds of messages without a type of ours that the pinned version did not send."""
        if self.messages_before is None:
            return []
        return sorted(self.messages.keys() - self.messages_before.keys())

    @property
    def needs_work(self) -> bool:
        return self.newest is None or bool(self.broken) or self.unparsed > 0


def render(drifts: Sequence[AgentDrift]) -> str:
    """Markdown: a table of all, then a section for each agent of which there is something to tell."""
    lines = ["# Newest agents beside the pinned", ""]
    working = [drift for drift in drifts if drift.needs_work]
    others = [drift.agent for drift in drifts if drift.is_another]
    lines.append(
        f"**{', '.join(drift.agent for drift in working)}: needs work.**"
        if working
        else "Nothing broke."
    )
    lines.append(f"Not the pinned version: {', '.join(others) or 'none'}.")
    lines += ["", "| agent | pinned | newest | passed | failed | untyped messages | unparsed |"]
    lines.append("|---|---|---|---|---|---|---|")
    lines += [_line(drift) for drift in drifts]
    for drift in drifts:
        if told := _section(drift):
            lines += ["", f"## {drift.agent}", "", *told]
    return "\n".join([*lines, ""])


def _line(drift: AgentDrift) -> str:
    newest = drift.newest or "**not installed**"
    untyped = sum(drift.messages.values()) - drift.unparsed
    cells = (
        f"**{drift.agent}**" if drift.needs_work else drift.agent,
        drift.pinned,
        f"{newest} (another)" if drift.is_another else newest,
        sum(drift.rows.values()),
        len(drift.failing),
        untyped,
        drift.unparsed,
    )
    return f"| {' | '.join(map(str, cells))} |"


def _section(drift: AgentDrift) -> list[str]:
    told = []
    if drift.failure:
        told.append(f"- It could not be installed: {drift.failure}")
    told += [f"- **Fails now:** {row}" for row in drift.broken]
    told += [
        f"- Fails, as with {drift.pinned}: {row}"
        for row in drift.failing
        if row not in drift.broken
    ]
    told += [f"- Works now: {row}" for row in drift.mended]
    if drift.messages:
        by_count = [f"`{kind}` {count}" for kind, count in drift.messages.most_common()]
        told.append(f"- Messages without a type of ours: {_listed(by_count)}")
    if drift.news:
        told.append(
            f"- **New among them:** {_listed([f'`{kind}` {drift.messages[kind]}' for kind in drift.news])}"
        )
    told += _schema_lines(drift)
    return told


def _schema_lines(drift: AgentDrift) -> list[str]:
    told = []
    if drift.schema is not None and drift.schema_before is not None:
        now, before = set(drift.schema), set(drift.schema_before)
        for title, names in (
            ("New in its schema", now - before),
            ("Gone from its schema", before - now),
        ):
            if names:
                told.append(f"- {title}: {_listed([f'`{name}`' for name in sorted(names)])}")
    if drift.unknown_methods:
        names = [f"`{name}`" for name in sorted(drift.unknown_methods)]
        told.append(f"- Its schema has what our adapter does not mention: {_listed(names)}")
    return told


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - MAX_SHOWN
    return ", ".join(names[:MAX_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
