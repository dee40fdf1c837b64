"""`docs/compatibility.md`, from what the tests of this folder found. `COMPATIBILITY=write` writes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from compatibility.peer_routes import PeerRoute

__all__ = ["PAGE", "methods_table", "routes_table", "section", "written"]

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"


def _marks(name: str) -> tuple[str, str]:
    return (
        f"<!-- {name}: written by tests/compatibility, COMPATIBILITY=write -->",
        f"<!-- /{name} -->",
    )


def section(page: str, name: str) -> str:
    begin, end = _marks(name)
    return page.partition(begin)[2].partition(end)[0].strip()


def written(page: str, name: str, text: str) -> str:
    """The page with the text in its place."""
    begin, end = _marks(name)
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}"


def routes_table(routes: Iterable[PeerRoute]) -> str:
    lines = ["| route | here | |", "|---|---|---|"]
    for why, group in groupby(routes, key=lambda route: route.absent):
        if why and len(found := list(group)) > 1:
            shared = _shared([route.path for route in found])
            lines.append(f"| `{shared}*` ({len(found)} routes) | not there | {why} |")
        else:
            lines += [_line(route) for route in (found if why else group)]
    return "\n".join(lines)


def _line(route: PeerRoute) -> str:
    kind = "not there" if route.absent else "same, and more" if route.better else "same"
    return f"| `{route.method} {route.path}` | {kind} | {route.absent or route.better} |"


def _shared(paths: Sequence[str]) -> str:
    first, last = min(paths), max(paths)
    length = next(
        (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first)
    )
    return first[:length].rpartition("/")[0] + "/"


def methods_table(methods: Mapping[str, Sequence[str]]) -> str:
    """SDK method -> the steps in which it was called and passed."""
    lines = ["| method | tried in |", "|---|---|"]
    lines += [f"| `{name}` | {', '.join(steps)} |" for name, steps in sorted(methods.items())]
    return "\n".join(lines)
