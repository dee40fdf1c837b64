"""What people call a thing: its id, the beginning of that, or a name. Never a guess between two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import TypeVar

from sandbox_agent_client.errors import InvalidRequest

__all__ = ["MIN_PREFIX", "find", "near"]

T = TypeVar("T")

MIN_PREFIX = 3
"""Characters of an id that stand for it, behind the `ses_` that all have."""


def find(
    name: str,
    things: Iterable[T],
    *,
    what: str,
    ids: Callable[[T], Sequence[str]],
    titles: Callable[[T], Sequence[str]] = lambda _thing: (),
) -> T | None:
    """The one thing of that name; None when there is none.

    Tried in this order: an id, a title, the beginning of an id, the beginning of a title.

    Raises:
        InvalidRequest: it could be several.
    """
    known = list(things)
    folded = name.casefold()
    fits: tuple[Callable[[T], bool], ...] = (
        lambda thing: name in ids(thing),
        lambda thing: folded in map(str.casefold, titles(thing)),
        lambda thing: any(_begins(id, name) for id in ids(thing)),
        lambda thing: any(title.casefold().startswith(folded) for title in titles(thing)),
    )
    for fit in fits:
        found = [thing for thing in known if name and fit(thing)]
        if len(found) == 1:
            return found[0]
        if found:
            several = ", ".join(ids(thing)[0] for thing in found[:5])
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            raise InvalidRequest(f"{name!r} is the beginning of several {what}: {several}{more}.")
    return None


def near(name: str, known: Iterable[str]) -> str:
    """` Did you mean …?`, or nothing."""
    found = get_close_matches(name, list(known), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""


def _begins(id: str, name: str) -> bool:
    bare = id.partition("_")[2]
    rest = name.removeprefix(id[: len(id) - len(bare)]) if bare else name
    return len(rest) >= MIN_PREFIX and (id.startswith(name) or bool(bare and bare.startswith(name)))
