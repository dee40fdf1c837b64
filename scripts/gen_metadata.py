#!/usr/bin/env python3
"""Writes what all packages say alike (`[tool.sandbox-agent]` of the root's pyproject.toml) into each one's pyproject.toml."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = re.compile(r"\[project\.urls\]\n(?:[^\[\n].*\n)*\n?")
CLASSIFIERS = re.compile(r"classifiers = \[\n(?:  .*\n)*\]\n")
ENTRY_POINTS = re.compile(r"(?=^\[(?:project\.|tool\.))", re.MULTILINE)


def main() -> int:
    said = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    stale = []
    for path in sorted((ROOT / "packages").glob("*/pyproject.toml")):
        before = path.read_text(encoding="utf-8")
        after = written(before, said["tool"]["sandbox-agent"], package=path.parent.name)
        if before != after:
            stale.append(path)
            if "--check" not in sys.argv:
                path.write_text(after, encoding="utf-8")
    if stale and "--check" in sys.argv:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        print(f"Not what the root's pyproject.toml says: {names}. Run `make fmt`.")
        return 1
    return 0


def written(text: str, said: dict[str, str | list[str]], *, package: str) -> str:
    """A package's pyproject.toml with its classifiers and URLs as the root says."""
    lines = "".join(f'  "{each}",\n' for each in said["classifiers"])
    text = CLASSIFIERS.sub(lambda _match: f"classifiers = [\n{lines}]\n", text)
    table = "".join(f'{name} = "{url}"\n' for name, url in urls(said, package=package).items())
    place = ENTRY_POINTS.search(text := TABLE.sub("", text))
    assert place is not None
    return f"{text[: place.start()]}[project.urls]\n{table}\n{text[place.start() :]}"


def urls(said: dict[str, str | list[str]], *, package: str) -> dict[str, str]:
    """What an index shows beside a package. Without a repository only where the project itself is found."""
    found = {"Homepage": str(said["homepage"])}
    if documentation := said.get("documentation"):
        found["Documentation"] = str(documentation)
    if repository := str(said.get("repository", "")).rstrip("/"):
        found |= {
            "Repository": repository,
            "Issues": f"{repository}/issues",
            "Changelog": f"{repository}/blob/main/packages/{package}/CHANGELOG.md",
        }
    return found


if __name__ == "__main__":
    sys.exit(main())
