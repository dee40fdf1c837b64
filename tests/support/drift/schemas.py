"""The protocols that agents print themselves: which methods, routes and events one version has."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from support.agents import REPOSITORY

__all__ = ["read_schema", "unknown_to_us"]

TIMEOUT_S = 120
_SOURCE = REPOSITORY / "packages/sandbox-agent-server/src/sandbox_agent_server/agents"
_CODEX = ("ClientRequest", "ServerNotification", "ServerRequest")


def read_schema(agent: str, program: Path) -> set[str] | None:
    """Names with their kind in front; None for an agent that prints no schema."""
    read = _READERS.get(agent)
    if read is None:
        return None
    with tempfile.TemporaryDirectory(prefix="agent-schema-", ignore_cleanup_errors=True) as home:
        return set(read(program, Path(home)))


def unknown_to_us(agent: str, names: set[str]) -> set[str]:
    """What an agent may send that its adapter does not mention."""
    if agent != "codex":
        return set()
    source = "".join(path.read_text(encoding="utf-8") for path in (_SOURCE / agent).glob("*.py"))
    told = {name for name in names if name.startswith("Server")}
    return {name for name in told if f'"{name.partition(" ")[2]}"' not in source}


def _codex(program: Path, home: Path) -> Iterator[str]:
    out = home / "schema"
    arguments = ("app-server", "generate-json-schema", "--experimental", "--out", str(out))
    _run(program, home, *arguments)
    for kind in _CODEX:
        schema = json.loads((out / f"{kind}.json").read_text(encoding="utf-8"))
        for variant in schema["oneOf"]:
            for method in variant["properties"]["method"]["enum"]:
                yield f"{kind} {method}"


def _opencode(program: Path, home: Path) -> Iterator[str]:
    document = json.loads(_run(program, home, "generate"))
    for path, operations in document["paths"].items():
        for operation in operations:
            yield f"route {operation.upper()} {path}"
    for schema in document["components"]["schemas"].values():
        yield from _events(schema)


def _events(schema: Mapping[str, Any]) -> Iterator[str]:
    fields = schema.get("properties") or {}
    if "properties" in fields:
        kind = fields.get("type") or {}
        for name in kind.get("enum") or [kind.get("const")]:
            if isinstance(name, str):
                yield f"event {name}"


def _run(program: Path, home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [program, *arguments],
        cwd=home,
        env={"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    return done.stdout


_READERS: Mapping[str, Callable[[Path, Path], Iterator[str]]] = {
    "codex": _codex,
    "kilo": _opencode,
    "opencode": _opencode,
}
