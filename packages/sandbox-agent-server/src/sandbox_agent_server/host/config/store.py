"""Configuration of directories, entry by entry, and which of it came through this server.

An agent, or whoever wrote a repository, can put the same files there. What was written through the API is somebody's
who may run programs in the sandbox; so the server remembers a digest of it, beside its sessions and out of the
workspace, and everything else counts only where the workspace is trusted.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from weakref import WeakValueDictionary

from pydantic import BaseModel, ValidationError
from sandbox_agent_core.api.config import CONFIG_NAME_MAX_CHARS, McpServerConfig, SkillsConfig
from sandbox_agent_core.errors import (
    ConfigDamaged,
    ConfigNotFound,
    InvalidRequest,
    SandboxAgentError,
    StorageError,
)

from sandbox_agent_server.host.config.files import (
    FOLDERS,
    change_entries,
    read_entries,
    resolve_directory,
)
from sandbox_agent_server.host.files.paths import Paths

__all__ = ["ConfigKind", "ConfigStore", "Found"]

logger = logging.getLogger(__name__)

ConfigKind = Literal["mcp", "skills"]
_MODELS: Final[Mapping[str, type[BaseModel]]] = {"mcp": McpServerConfig, "skills": SkillsConfig}
_PARAMETER: Final = {"mcp": "mcpName", "skills": "skillName"}
_LEDGER: Final = "config.json"


@dataclass(frozen=True, slots=True)
class Found:
    """An entry for a session."""

    name: str
    directory: Path
    """Where it is configured."""
    config: BaseModel
    is_ours: bool
    """It is as it was written through this server."""


class ConfigStore:
    def __init__(self, data_dir: Path, *, paths: Paths, max_bytes: int) -> None:
        self._paths = paths
        self._max_bytes = max_bytes
        self._ledger = _Ledger(data_dir / _LEDGER)
        self._locks: WeakValueDictionary[tuple[Path, str], asyncio.Lock] = WeakValueDictionary()

    async def all(self, kind: ConfigKind, directory: str) -> dict[str, dict[str, Any]]:
        """Name -> entry. Raises: what `resolve_directory` and `read_entries` do; ConfigDamaged for an entry that is
        none."""
        at = await asyncio.to_thread(resolve_directory, directory, self._paths)
        entries = await asyncio.to_thread(self._read, kind, at)
        return {name: _document(_entry(kind, at, name, entries[name])) for name in sorted(entries)}

    async def get(self, kind: ConfigKind, directory: str, name: str) -> dict[str, Any]:
        """Raises: ConfigNotFound, and what `all` does."""
        _check_name(kind, name)
        at = await asyncio.to_thread(resolve_directory, directory, self._paths)
        entries = await asyncio.to_thread(self._read, kind, at)
        if name not in entries:
            raise ConfigNotFound(
                f"{str(at)!r} has no {kind} configuration {name!r}", resource=kind, id=name
            )
        return _document(_entry(kind, at, name, entries[name]))

    async def put(self, kind: ConfigKind, directory: str, name: str, config: BaseModel) -> None:
        """Make or replace it. Raises: what `change_entries` does."""
        _check_name(kind, name)
        document = _document(config)

        def put(entries: dict[str, Any]) -> bool:
            entries[name] = document
            return True

        await self._change(kind, directory, name, put, digest=_digest(document))

    async def delete(self, kind: ConfigKind, directory: str, name: str) -> None:
        """One that is not there is none afterwards. Raises: what `change_entries` does."""
        _check_name(kind, name)
        at = await asyncio.to_thread(resolve_directory, directory, self._paths)
        if name in await asyncio.to_thread(self._read, kind, at):
            await self._change(
                kind,
                directory,
                name,
                lambda entries: entries.pop(name, None) is not None,
                digest=None,
            )

    def for_session(
        self, kind: ConfigKind, directories: list[Path]
    ) -> tuple[list[Found], list[str]]:
        """What is configured in `directories`, outermost first: of one name the innermost. And, in sentences, what of
        it cannot be read. Blocks."""
        found: dict[str, Found] = {}
        warnings: list[str] = []
        for directory in directories:
            try:
                entries = self._read(kind, directory)
            except SandboxAgentError as exc:
                warnings.append(exc.message)
                continue
            for name, given in entries.items():
                try:
                    config = _entry(kind, directory, name, given)
                except ConfigDamaged as exc:
                    warnings.append(exc.message)
                    continue
                is_ours = self._ledger.get(kind, directory, name) == _digest(given)
                found[name] = Found(name, directory, config, is_ours)
        return list(found.values()), warnings

    def _read(self, kind: ConfigKind, directory: Path) -> dict[str, Any]:
        return read_entries(self._paths, directory, f"{kind}.json", max_bytes=self._max_bytes)

    async def _change(
        self, kind: ConfigKind, directory: str, name: str, change: Any, *, digest: str | None
    ) -> None:
        at = await asyncio.to_thread(resolve_directory, directory, self._paths)
        lock = self._locks.setdefault((at, kind), asyncio.Lock())
        async with lock:  # one thread for a directory, however many want to write there
            await asyncio.shield(asyncio.to_thread(self._write, kind, at, name, change, digest))

    def _write(
        self, kind: ConfigKind, at: Path, name: str, change: Any, digest: str | None
    ) -> None:
        # First: an entry that is written and not remembered would not count, and say nothing of why.
        self._ledger.set(kind, at, name, digest)
        change_entries(self._paths, at, f"{kind}.json", change, max_bytes=self._max_bytes)


class _Ledger:
    """`kind`, directory and name -> digest of what was written through this server."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._digests: dict[str, str] | None = None

    def get(self, kind: str, directory: Path, name: str) -> str | None:
        with self._lock:
            return self._read().get(_key(kind, directory, name))

    def set(self, kind: str, directory: Path, name: str, digest: str | None) -> None:
        """Raises: StorageError."""
        with self._lock:
            digests = dict(self._read())
            key = _key(kind, directory, name)
            if digests.get(key) == digest:
                return
            digests.pop(key, None)
            if digest is not None:
                digests[key] = digest
            scratch = self._path.with_suffix(".tmp")
            try:
                scratch.write_text(json.dumps(digests, indent=1), encoding="utf-8")
                scratch.chmod(0o600)
                os.replace(scratch, self._path)  # noqa: PTH105 - both are named above
            except OSError as exc:
                raise StorageError(f"cannot write {str(self._path)!r}: {exc}") from exc
            self._digests = digests

    def _read(self) -> dict[str, str]:
        if self._digests is None:
            self._digests = {}
            try:
                told = json.loads(self._path.read_text(encoding="utf-8"))
                self._digests = {str(key): str(value) for key, value in dict(told).items()}
            except FileNotFoundError:
                pass
            except (OSError, ValueError, TypeError) as exc:
                logger.error(
                    "%s cannot be read, so configuration counts only in trusted workspaces until it is "
                    "written again: %s", self._path, exc,
                )  # fmt: skip
        return self._digests


def _key(kind: str, directory: Path, name: str) -> str:
    return json.dumps([kind, str(directory), name])


def _digest(entry: Any) -> str:
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _entry(kind: ConfigKind, directory: Path, name: str, given: Any) -> BaseModel:
    """Raises: ConfigDamaged."""
    try:
        return _MODELS[kind].model_validate(given)
    except ValidationError as exc:
        where = directory.joinpath(*FOLDERS, f"{kind}.json")
        faults = "; ".join(_faults(exc))
        raise ConfigDamaged(
            f"{str(where)!r}: {name[:CONFIG_NAME_MAX_CHARS]!r} is none ({faults}). Mend it, write it anew or remove it",
            path=str(where),
        ) from exc


def _faults(exc: ValidationError) -> Iterator[str]:
    for error in exc.errors(include_input=False, include_url=False, include_context=False):
        where = ".".join(map(str, error["loc"]))
        message = error["msg"].removeprefix("Value error, ")
        yield f"{where}: {message}" if where else message


def _document(config: BaseModel) -> dict[str, Any]:
    document: dict[str, Any] = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    return document


def _check_name(kind: ConfigKind, name: str) -> None:
    parameter = _PARAMETER[kind]
    if not name.strip():
        raise InvalidRequest(f"`{parameter}` is missing")
    if len(name) > CONFIG_NAME_MAX_CHARS or not name.isprintable():
        raise InvalidRequest(
            f"`{parameter}` has at most {CONFIG_NAME_MAX_CHARS} characters, all of them printable"
        )
