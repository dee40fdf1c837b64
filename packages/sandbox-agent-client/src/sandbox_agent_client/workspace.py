"""What is to be in a sandbox before anybody works there: a repository, files, and commands that set it up."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final, Self

import yaml
from sandbox_agent_core.errors import InvalidRequest

from sandbox_agent_client._calls.git import Credentials

__all__ = ["FileContent", "SetupCommand", "Workspace", "read_manifest"]

FileContent = str | bytes | Path
"""A text, bytes, or a file or directory of this machine."""
SetupCommand = str | Sequence[str]
"""A line for `sh`, or a program and its arguments."""

SETUP_TIMEOUT_S: Final = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """For `SandboxAgent.start(workspace=…)`: the repository is cloned, the files are written, the commands are run, in
    this order, in the sandbox of whichever provider.

        Workspace(
            repo="https://github.com/me/app",
            ref="main",
            files={".env": "DEBUG=1", "data": Path("./fixtures")},
            setup=["npm ci"],
        )
    """

    repo: str | None = None
    """The address of a git repository."""
    ref: str | None = None
    """A branch, a tag or a full commit id. Default: the repository's own."""
    credentials: Credentials | None = field(default=None, repr=False)
    """A token, or a mapping with `token`, or with `username` and `password`. Written nowhere in the sandbox."""
    depth: int | None = None
    """Only so many commits of history."""
    submodules: bool = False
    path: str | PathLike[str] | None = None
    """Where all of it is to be, in the sandbox; a relative one begins at the server's working directory. Default: a
    directory there that is named as the repository is; without one, that directory itself."""
    files: Mapping[str, FileContent] = field(default_factory=dict, repr=False)
    """Path, relative to the workspace, -> contents."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """For the commands of `setup`."""
    setup: Sequence[SetupCommand] = ()
    """Commands, one after the other, in the workspace. The first that fails ends it."""
    setup_timeout: float = SETUP_TIMEOUT_S
    """Seconds that each may take."""

    def __post_init__(self) -> None:
        if isinstance(self.setup, str):
            raise InvalidRequest("`setup` is a list of commands: `[…]` around the one")
        if self.repo is None and (self.ref or self.credentials or self.depth or self.submodules):
            raise InvalidRequest(
                "`ref`, `credentials`, `depth` and `submodules` are of a `repo`, and there is none"
            )

    @classmethod
    def load(cls, file: str | PathLike[str]) -> Self:
        """From a file, by the end of its name: `.json`, `.toml` or `.yaml`.

        Its members are those of this class. A file is a text, or `{"from": PATH}`: a file or directory of this
        machine, relative to where the manifest is.

        Raises:
            InvalidRequest: there is no such file, or it is no manifest; the message says what is wrong in it.
        """
        return cls.of(read_manifest(file), base=Path(file).parent)

    @classmethod
    def of(cls, members: Any, *, base: Path) -> Self:
        """From the members of a document. `base`: where the files of this machine begin. Raises: InvalidRequest."""
        if not isinstance(members, dict):
            raise InvalidRequest("a workspace is an object with `repo`, `files` and `setup`")
        known = {one.name for one in fields(cls)}
        if others := sorted(str(name) for name in members if name not in known):
            raise InvalidRequest(
                f"a workspace has no {', '.join(map(repr, others))}; there are: {', '.join(sorted(known))}"
            )
        given = {name: value for name, value in members.items() if value is not None}
        for name, kind in _KINDS.items():
            if name in given and not isinstance(given[name], kind):
                raise InvalidRequest(
                    f"`{name}` of the workspace is {given[name]!r}, which it cannot be"
                )
        if "files" in given:
            given["files"] = {
                str(path): _content(path, value, base) for path, value in given["files"].items()
            }
        return cls(**given)

    def members(self) -> dict[str, Any]:
        """Of a document that is the same to `of`: JSON, with absolute paths of files of this machine.

        Raises:
            InvalidRequest: a file is bytes that are no text, which a document cannot have.
        """
        made: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if value not in (None, False, {}, ()) and value != one.default:
                made[one.name] = value
        if self.path is not None:
            made["path"] = fspath(self.path)
        if self.files:
            made["files"] = {path: _written(path, value) for path, value in self.files.items()}
        if self.setup:
            made["setup"] = [one if isinstance(one, str) else [*one] for one in self.setup]
        return made


_KINDS: Final[Mapping[str, Any]] = {
    "repo": str,
    "ref": str,
    "path": str,
    "depth": int,
    "submodules": bool,
    "files": dict,
    "env": dict,
    "setup": list,
    "credentials": (str, dict),
    "setup_timeout": (int, float),
}


def _content(path: str, value: Any, base: Path) -> FileContent:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and set(value) == {"from"} and isinstance(value["from"], str):
        return base / Path(value["from"]).expanduser()
    raise InvalidRequest(f'`files` of the workspace: {path!r} is a text, or `{{"from": PATH}}`')


def _written(path: str, content: FileContent) -> Any:
    if isinstance(content, Path):
        return {"from": str(content.expanduser().absolute())}
    try:
        return content if isinstance(content, str) else content.decode()
    except UnicodeDecodeError as exc:
        raise InvalidRequest(
            f"`files` of the workspace: {path!r} is bytes that are no text: give the `Path` of a file instead"
        ) from exc


def read_manifest(file: str | PathLike[str]) -> Any:
    """The members of a workspace, as they are in its file. Raises: InvalidRequest."""
    place = Path(file)
    try:
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequest(f"cannot read the workspace {fspath(file)!r}: {exc}") from exc
    try:
        match place.suffix.lower():
            case ".json":
                return json.loads(text)
            case ".toml":
                return tomllib.loads(text)
            case ".yaml" | ".yml":
                return yaml.safe_load(text)
            case other:
                raise InvalidRequest(
                    f"{str(place)!r} ends in {other!r}; a workspace is a .json, .toml or .yaml file"
                )
    except (json.JSONDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as exc:
        raise InvalidRequest(f"{str(place)!r}: {exc}") from exc
