"""Tasks from a file: YAML, JSON, TOML, or a JSON object in each line. What is wrong is named by its line and its field."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from sandbox_agent_core.errors import InvalidRequest

from sandbox_agent_client.batch.plan import Task
from sandbox_agent_client.workspace import read_manifest

__all__ = ["load_tasks", "tasks_of"]

MAX_PROBLEMS = 10
"""That are told of one file."""

Where = Callable[[Sequence[str | int]], str]
"""Of a path of names and indexes in a document: in which line that is, in words."""


def load_tasks(file: str | PathLike[str]) -> list[Task]:
    """From a file, by the end of its name: `.yaml`, `.yml`, `.json`, `.toml`, or `.jsonl` with a task in each line.

    It holds a list of tasks, or an object with `tasks`, and `defaults` that each of them has where it says nothing.
    Files of a workspace, and a `workspace` that is the path of a manifest, are relative to where the file is.

    Raises:
        InvalidRequest: there is no such file, or it holds something else; `details.problems` has all that is wrong.
    """
    place = Path(file)
    try:
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequest(f"The tasks {fspath(file)!r} cannot be read: {exc}") from exc
    try:
        document, where = _parsed(text, place.suffix.lower())
    except (yaml.YAMLError, ValueError) as exc:
        raise InvalidRequest(f"{fspath(file)}: {_in_one_line(exc)}") from exc
    return _Reading(where, base=place.parent.absolute(), name=fspath(file)).tasks(document)


def tasks_of(given: Iterable[Any]) -> list[Task]:
    """Of a program: tasks, mappings with the members of one, or prompts.

    Raises:
        InvalidRequest: one of them is none.
    """
    reading = _Reading(lambda _path: "", base=Path.cwd(), name="tasks")
    return reading.tasks([{"prompt": one} if isinstance(one, str) else one for one in given])


class _Reading:
    def __init__(self, where: Where, *, base: Path, name: str) -> None:
        self._where = where
        self._base = base
        self._name = name
        self._problems: list[str] = []

    def tasks(self, document: Any) -> list[Task]:
        defaults: Mapping[str, Any] = {}
        items, prefix = document, list[str | int]()
        if isinstance(document, dict) and "tasks" in document:
            items, prefix = document["tasks"], ["tasks"]
            defaults = document.get("defaults") or {}
            for other in sorted(document.keys() - {"tasks", "defaults"}):
                self._wrong([other], "there is no such member; there are: tasks, defaults")
            if not isinstance(defaults, dict):
                self._wrong(["defaults"], "is an object with members of tasks")
                defaults = {}
        if not isinstance(items, list) or not items:
            self._wrong(prefix, "is a list of tasks, with at least one")
            items = []
        read = [self._task(item, defaults, [*prefix, number]) for number, item in enumerate(items)]
        if self._problems:
            shown = "\n".join(self._problems[:MAX_PROBLEMS])
            more = len(self._problems) - MAX_PROBLEMS
            raise InvalidRequest(
                shown + (f"\nand {more} more" if more > 0 else ""), problems=self._problems
            )
        return [task for task in read if task is not None]

    def _task(self, item: Any, defaults: Mapping[str, Any], path: list[str | int]) -> Task | None:
        if isinstance(item, Task):
            return item
        if isinstance(item, str):
            item = {"prompt": item}
        if not isinstance(item, dict):
            self._wrong(path, "is an object with a `prompt`")
            return None
        members = {"id": f"task-{int(path[-1]) + 1}", **defaults, **item}
        try:
            if "workspace" in members:
                members["workspace"] = _workspace(members["workspace"], self._base)
            if isinstance(grade := members.get("grade"), dict) and "files" in grade:
                members["grade"] = grade | {"files": _files(grade["files"], self._base)}
            return Task.model_validate(members)
        except InvalidRequest as exc:
            self._wrong([*path, "workspace"], exc.message)
        except ValidationError as exc:
            for error in exc.errors():
                # Of a union each member says what is wrong with it; the names of those are no names of the file.
                names = [part for part in error["loc"] if part in item or isinstance(part, int)]
                self._wrong([*path, *error["loc"][:1], *names[1:]], _message(error))
        return None

    def _wrong(self, path: Sequence[str | int], message: str) -> None:
        line = self._where(path)
        field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
        problem = f"{self._name}{line}: `{field.lstrip('.') or 'the document'}` {message}"
        if problem not in self._problems:
            self._problems.append(problem)


def _message(error: Any) -> str:
    match error["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return f"is no member of a task; there are: {', '.join(_members())}"
        case "string_pattern_mismatch":
            return f"is {error['input']!r}, and may have letters, digits, `_`, `.` and `-`"
        case _:
            return str(error["msg"]).removeprefix("Value error, ")


def _members() -> list[str]:
    return [field.alias or name for name, field in Task.model_fields.items()]


def _workspace(given: Any, base: Path) -> Any:
    """Its members, with absolute paths. Raises: InvalidRequest."""
    if isinstance(given, str):
        file = base / given
        return _workspace(read_manifest(file), file.parent)
    if isinstance(given, dict) and isinstance(given.get("files"), dict):
        return given | {"files": _files(given["files"], base)}
    return given


def _files(given: Any, base: Path) -> Any:
    if not isinstance(given, dict):
        return given
    return {
        path: {"from": str(base / Path(content["from"]).expanduser())}
        if isinstance(content, dict) and isinstance(content.get("from"), str)
        else content
        for path, content in given.items()
    }


def _parsed(text: str, suffix: str) -> tuple[Any, Where]:
    match suffix:
        case ".yaml" | ".yml":
            return _yaml(text)
        case ".json":
            document = json.loads(text)
            # YAML is a superset of it that tells where things are.
            return document, lambda path: _yaml(text)[1](path)
        case ".jsonl" | ".ndjson":
            return _lines(text)
        case ".toml":
            return tomllib.loads(text), lambda _path: ""
        case _:
            raise ValueError(f"tasks are a .yaml, .json, .jsonl or .toml file, not {suffix!r}")


def _lines(text: str) -> tuple[Any, Where]:
    items, numbers = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                items.append(json.loads(line))
            except ValueError as exc:
                raise ValueError(f"line {number} is no JSON: {exc}") from exc
            numbers.append(number)
    return items, lambda path: f", line {numbers[int(path[0])]}" if path else ""


def _yaml(text: str) -> tuple[Any, Where]:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        document = None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()

    def where(path: Sequence[str | int]) -> str:
        node = root
        for part in path:
            inner = _inner(node, part)
            if inner is None:
                break
            node = inner
        return "" if node is None else f", line {node.start_mark.line + 1}"

    return document, where


def _inner(node: Any, part: str | int) -> Any:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part]
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    return None


def _in_one_line(exc: Exception) -> str:
    if isinstance(exc, yaml.MarkedYAMLError) and exc.problem_mark is not None:
        return f"line {exc.problem_mark.line + 1}: {exc.problem or exc.context}"
    return str(exc)
