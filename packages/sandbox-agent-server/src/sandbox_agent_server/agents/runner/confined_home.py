"""The home of a confined agent: a directory of its session's own, over which lies what it may see of the user's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from sandbox_agent_server.agents.runner.home_files import folders_of, home_files
from sandbox_agent_server.runtime.mounts import Mounts

__all__ = ["make_places", "show", "show_home"]


def show_home(
    mounts: Mounts, agent: str, own: Path, env: Mapping[str, str], *, whole: bool
) -> None:
    """`own`: the directory of the session. `whole`: everything of the user's can be read."""
    home = Path(env["HOME"]).absolute()
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    mounts.write(own, home)
    folders = folders_of(agent, env)
    if whole:
        for path in _around(home, {home, *folders}):
            show(mounts, path)
    for folder in folders:
        if whole or not folder.is_relative_to(home):
            mounts.write(_made(own, _inside(folder, home)), folder)
    for path, how in home_files(agent, env):
        inside = _inside(path, home)
        if how == "copy":
            place = _made(own, inside.parent) / inside.name
            if not os.path.lexists(place):
                shutil.copyfile(path, place)
        elif how == "write":
            mounts.write(path)
        else:
            mounts.read(path)


def show(mounts: Mounts, path: Path) -> None:
    """To read, if it is there and is not shown yet."""
    if mounts.shows(path) or not os.path.lexists(path):
        return
    if path.is_symlink() and not path.is_dir():
        mounts.link(path)
    else:
        mounts.read(path)


def make_places(mounts: Mounts, own: Path, home: Path) -> None:
    """For what lies over the home of a session. Not by a link that its agent has put there: places are made
    outside."""
    for place in mounts.places():
        if place == home or not place.is_relative_to(home):
            continue
        inside = place.relative_to(home)
        there = _made(own, inside.parent) / inside.name
        if there.is_symlink():
            there.unlink()
        elif there.exists() and there.is_dir() != place.is_dir():
            shutil.rmtree(there) if there.is_dir() else there.unlink()


def _inside(path: Path, home: Path) -> Path:
    return path.relative_to(home if path.is_relative_to(home) else "/")


def _made(own: Path, inside: Path) -> Path:
    """A directory in the home of a session, by no link."""
    place = own
    for part in inside.parts:
        place = place / part
        if place.is_symlink() or (os.path.lexists(place) and not place.is_dir()):
            place.unlink()
        place.mkdir(mode=0o700, exist_ok=True)
    return place


def _around(directory: Path, special: Iterable[Path]) -> Iterable[Path]:
    """All of a directory that neither is special nor leads to it."""
    special = list(special)
    try:
        entries = sorted(directory.iterdir())
    except OSError:
        return
    for path in entries:
        if path in special:
            continue
        if any(one.is_relative_to(path) for one in special) and not path.is_symlink():
            yield from _around(path, special)
        else:
            yield path
