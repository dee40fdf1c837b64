"""Building our packages, and what their metadata must have."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Literal

from packaging.metadata import Metadata

__all__ = ["UNRELEASED", "Distribution", "build", "problems_of", "read_distributions"]

UNRELEASED = "not released yet"
"""What readmes say until there is a release, where they say how to install."""
_ONLY_IN_SDIST = ("CHANGELOG.md",)
_SIDE_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)]+)\)")


@dataclass(frozen=True, slots=True)
class Distribution:
    file: Path
    kind: Literal["wheel", "sdist"]
    metadata: str
    names: tuple[str, ...]
    """Of the files in it."""
    entry_points: str = ""

    @property
    def _message(self) -> Message:
        return email.message_from_string(self.metadata)

    @property
    def name(self) -> str:
        return str(self._message["Name"])

    @property
    def version(self) -> str:
        return str(self._message["Version"])

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def extras(self) -> list[str]:
        return self._message.get_all("Provides-Extra", [])

    @property
    def programs(self) -> list[str]:
        parser = ConfigParser()
        parser.read_string(self.entry_points)
        return list(parser["console_scripts"]) if parser.has_section("console_scripts") else []


def build(packages: Sequence[Path], dist: Path) -> None:
    """An sdist of each, and the wheel from that sdist. Raises: SystemExit."""
    for package in packages:
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist)]
        done = subprocess.run([*command, str(package)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{package.name} cannot be built:\n{done.stdout}{done.stderr}")


def read_distributions(dist: Path) -> list[Distribution]:
    return [
        _wheel(file) if file.suffix == ".whl" else _sdist(file)
        for file in sorted(dist.iterdir())
        if file.name.endswith((".whl", ".tar.gz"))
    ]


def _wheel(file: Path) -> Distribution:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        info = next(
            name.partition("/")[0] for name in names if name.endswith(".dist-info/METADATA")
        )
        points = f"{info}/entry_points.txt"
        return Distribution(
            file,
            "wheel",
            archive.read(f"{info}/METADATA").decode(),
            tuple(names),
            archive.read(points).decode() if points in names else "",
        )


def _sdist(file: Path) -> Distribution:
    with tarfile.open(file) as archive:
        names = archive.getnames()
        top = names[0].partition("/")[0]
        metadata = archive.extractfile(f"{top}/PKG-INFO")
        assert metadata is not None
        return Distribution(file, "sdist", metadata.read().decode(), tuple(names))


def problems_of(one: Distribution, *, is_release: bool) -> Iterator[str]:
    """What an index or its reader would miss. `is_release`: also what may be missing until there is one."""
    try:
        said = Metadata.from_email(one.metadata, validate=True)
    except ExceptionGroup as errors:
        yield from map(str, errors.exceptions)
        return
    wanted = {
        "summary": said.summary,
        "licence": said.license_expression,
        "project URL": said.project_urls,
        "classifier": said.classifiers,
        "version of Python": said.requires_python,
        "readme": said.description,
    }
    yield from (f"it names no {what}" for what, found in wanted.items() if not found)
    yield from _problems_of_readme(said.description or "", is_release=is_release)
    files = [f"{one.module}/py.typed", "LICENSE", *_ONLY_IN_SDIST[one.kind == "wheel" :]]
    for name in files:
        if not any(each.endswith(name) for each in one.names):
            yield f"there is no {name} in it"
    if is_release and "Repository" not in (said.project_urls or {}):
        yield "it names no repository: fill in [tool.sandbox-agent] of the root's pyproject.toml"


def _problems_of_readme(text: str, *, is_release: bool) -> Iterator[str]:
    for link in _SIDE_LINK.findall(text):
        yield f"the readme links to {link}, which is not there beside an index"
    if is_release and UNRELEASED in text:
        yield f"the readme still says {UNRELEASED!r}"
