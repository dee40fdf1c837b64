"""Which sessions a list is to have. What the index remembers decides first: a row that cannot match costs no more
than its reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.api.sessions import SessionInfo

from sandbox_agent_server.jsonio import dumps

__all__ = ["EVERY_SESSION", "SCANNED_AT_MOST", "SessionFilter"]

SCANNED_AT_MOST: Final = 2000
"""Sessions that are looked at for one page, so that a filter which hardly any matches holds nobody up. Such a page has
fewer than were asked for, maybe none, and a cursor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    agents: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    title: str | None = None
    """A part of it, whatever the case."""
    words: frozenset[str] = frozenset()
    """Casefolded. Each of them in something that a person may remember of a session."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Of each member its text, or its JSON."""

    @property
    def is_empty(self) -> bool:
        return self == EVERY_SESSION

    def may_match(self, agent: object, metadata: object) -> bool:
        """By what a session was made with; False for one that is none of those asked for."""
        return (not self.agents or agent in self.agents) and _has(metadata, self.metadata)

    def matches(self, info: SessionInfo) -> bool:
        return (
            self.may_match(info.agent, info.metadata)
            and (not self.statuses or info.status in self.statuses)
            and (self.title is None or self.title.casefold() in (info.title or "").casefold())
            and (not self.words or _is_about(info, self.words))
        )


EVERY_SESSION: Final = SessionFilter()


def _is_about(info: SessionInfo, words: Iterable[str]) -> bool:
    known = [info.title, info.first_prompt, info.last_prompt, info.id, info.agent, info.cwd]
    known += [f"{name}:{text}" for name, value in info.metadata.items() for text in _texts(value)]
    text = "\n".join(filter(None, known)).casefold()
    return all(word in text for word in words)


def _has(metadata: object, wanted: Mapping[str, str]) -> bool:
    if not wanted:
        return True
    return isinstance(metadata, Mapping) and all(
        name in metadata and text in _texts(metadata[name]) for name, text in wanted.items()
    )


def _texts(value: Any) -> Sequence[str]:
    """`4711` asks for the number and for the text."""
    written = dumps(value).decode()
    return (value, written) if isinstance(value, str) else (written,)
