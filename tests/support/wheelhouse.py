"""A wheelhouse made of what is installed beside the tests: exact, quick, and without network."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path

import sandbox_agent_inspector
from packaging.requirements import Requirement
from sandbox_agent_client.sandboxes.wheels import server_wheels, write_wheel
from sandbox_agent_core.spi.provider import Wheel

__all__ = ["BARE_PYTHON", "INSPECTOR_PAGE", "OUR_SERVER", "inspector_wheel", "installed_wheelhouse"]

OUR_SERVER = Path(sys.executable).parent / "sandbox-agent-server"
BARE_PYTHON = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
"""An interpreter that the wheels fit and that is no virtual environment."""

INSPECTOR_PAGE = b"<title>Inspector</title>"


def inspector_wheel() -> Wheel:
    """With a page that needs no Node.js to be built, and in all else the Inspector's package."""
    package = "sandbox_agent_inspector"
    found = distribution("sandbox-agent-inspector")
    place = Path(sandbox_agent_inspector.__file__).parent
    files = {f"{package}/{path.name}": path.read_bytes() for path in place.glob("*.py")}
    files[f"{package}/static/index.html"] = INSPECTOR_PAGE
    metadata = {"METADATA": found.read_text("METADATA") or ""}
    return write_wheel(package, found.version, files, metadata)


@cache
def installed_wheelhouse() -> Sequence[Wheel]:
    """Our wheels, those that the server needs, and pip."""
    needed = {one.name.lower(): one for one in _closure("sandbox-agent-server")}
    others = [one for name, one in needed.items() if not name.startswith("sandbox-agent-")]
    return [*server_wheels(), *map(_packed, [*others, distribution("pip")])]


def _closure(name: str, seen: set[str] | None = None) -> Iterator[Distribution]:
    seen = set() if seen is None else seen
    if name.lower() in seen:
        return
    seen.add(name.lower())
    found = distribution(name)
    yield found
    for text in found.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield from _closure(requirement.name, seen)


def _packed(installed: Distribution) -> Wheel:
    name = installed.name.replace("-", "_").replace(".", "_").lower()
    files, metadata = {}, {}
    for file in installed.files or ():
        if file.suffix == ".pyc" or ".." in file.parts:
            continue
        content = Path(str(file.locate())).read_bytes()
        if not file.parts[0].endswith(".dist-info"):
            files[file.as_posix()] = content
        elif file.name in {"METADATA", "entry_points.txt"}:
            metadata[file.name] = content.decode()
    tag = (installed.read_text("WHEEL") or "").partition("Tag: ")[2].splitlines()[0]
    return write_wheel(name, installed.version, files, metadata, tag=tag)
