"""Decides a permission by rule before a person is asked. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sandbox_agent_core.api.policy import (
    PermissionAction,
    PermissionMode,
    PermissionPolicy,
    PermissionRule,
)

__all__ = ["Decision", "choose_option", "decide"]

_SHELL_SYNTAX = re.compile(r"[;&|<>`\n\r]|\$\(|\$\{")


@dataclass(frozen=True, slots=True)
class Decision:
    action: PermissionAction
    rule: str
    """Name of the rule that applied, or `default`."""


_CHANGING = frozenset({"edit", "delete", "move", "execute"})


def decide(
    policy: PermissionPolicy,
    tool_call: Mapping[str, Any],
    *,
    cwd: str,
    mode: PermissionMode | None = None,
) -> Decision:
    """What a mode forbids is denied; then the first rule that applies decides, then what the mode allows,
    then the policy's default.
    """
    subject = _Subject.of(tool_call, cwd)
    if _is_forbidden(mode, subject.kind):
        return Decision("deny", f"mode {mode}")
    for number, rule in enumerate(policy.rules, start=1):
        if _applies(rule, subject):
            return Decision(rule.action, rule.name or f"rule {number}")
    if mode == "bypass" or (mode == "accept-edits" and _is_edit_inside(subject)):
        return Decision("allow", f"mode {mode}")
    return Decision(policy.default, "default")


def choose_option(options: list[Any], wanted: tuple[str, ...]) -> dict[str, Any] | None:
    """The offered option of the first wanted kind. Options are chosen by kind: their ids are opaque."""
    for kind in wanted:
        for option in options:
            if isinstance(option, dict) and option.get("kind") == kind and "optionId" in option:
                return option
    return None


def _is_forbidden(mode: PermissionMode | None, kind: str | None) -> bool:
    if mode == "read-only":
        return kind in _CHANGING or kind == "switch_mode"
    return mode == "plan" and kind in _CHANGING


def _is_edit_inside(subject: _Subject) -> bool:
    """An edit that says which files, all of them in the workspace."""
    relatives = [relative for _, relative in subject.paths]
    is_inside = all(not path.startswith("../") and path != ".." for path in relatives)
    return subject.kind == "edit" and bool(relatives) and is_inside


@dataclass(frozen=True, slots=True)
class _Subject:
    kind: str | None
    name: str | None
    command: str | None
    paths: tuple[tuple[str, str], ...]
    """`(absolute, relative to the workspace)`, both normalised so that `..` cannot escape a pattern."""

    @classmethod
    def of(cls, tool_call: Mapping[str, Any], cwd: str) -> _Subject:
        raw = tool_call.get("rawInput")
        raw_input: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        return cls(
            kind=_text(tool_call.get("kind")),
            name=_text(tool_call.get("name")),
            command=_command(raw_input),
            paths=tuple(_both_ways(path, cwd) for path in _paths(tool_call, raw_input)),
        )


def _applies(rule: PermissionRule, subject: _Subject) -> bool:
    if rule.tool_kind is not None and rule.tool_kind != subject.kind:
        return False
    if rule.tool_name is not None and not _matches(subject.name, rule.tool_name):
        return False
    if rule.command is not None and not _command_applies(rule, subject.command):
        return False
    return rule.path is None or _path_applies(rule.path, rule.action, subject)


def _command_applies(rule: PermissionRule, command: str | None) -> bool:
    if command is None or rule.command is None:
        return False
    # `git *` must not let `git status; rm -rf /` through: what a shell would take apart is allowed by
    # its exact text only.
    if rule.action == "allow" and _SHELL_SYNTAX.search(command):
        return command == rule.command
    return fnmatchcase(command, rule.command)


def _path_applies(pattern: str, action: PermissionAction, subject: _Subject) -> bool:
    hits = [any(fnmatchcase(form, pattern) for form in path) for path in subject.paths]
    # Allowing needs every path inside the pattern; refusing or asking needs one.
    return bool(hits) and (all(hits) if action == "allow" else any(hits))


def _matches(text: str | None, pattern: str) -> bool:
    return text is not None and fnmatchcase(text, pattern)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _command(raw_input: Mapping[str, Any]) -> str | None:
    command = raw_input.get("command", raw_input.get("cmd"))
    if isinstance(command, list) and all(isinstance(part, str) for part in command):
        return " ".join(command)
    return _text(command)


def _paths(tool_call: Mapping[str, Any], raw_input: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for group in ("locations", "content"):
        items = tool_call.get(group)
        found.extend(
            item["path"]
            for item in (items if isinstance(items, list) else ())
            if isinstance(item, dict) and isinstance(item.get("path"), str)
        )
    keys = ("file_path", "path", "filePath", "notebook_path")
    found.extend(raw_input[key] for key in keys if isinstance(raw_input.get(key), str))
    return list(dict.fromkeys(found))


def _both_ways(path: str, cwd: str) -> tuple[str, str]:
    absolute = posixpath.normpath(posixpath.join(cwd, path))
    return absolute, posixpath.relpath(absolute, cwd)
