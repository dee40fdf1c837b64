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
from sandbox_agent_core.tool_calls import command_of, kind_of, name_of, paths_of

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
        return cls(
            kind=kind_of(tool_call),
            name=name_of(tool_call),
            command=command_of(tool_call.get("rawInput")),
            paths=tuple(_both_ways(path, cwd) for path in paths_of(tool_call)),
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
    # What a person was shown is a rule for just that, whatever in it a glob would take apart.
    if command == rule.command:
        return True
    # `git *` must not let `git status; rm -rf /` through: what a shell would take apart is allowed by
    # its exact text only.
    if rule.action == "allow" and _SHELL_SYNTAX.search(command):
        return False
    return fnmatchcase(command, rule.command)


def _path_applies(pattern: str, action: PermissionAction, subject: _Subject) -> bool:
    hits = [any(fnmatchcase(form, pattern) for form in path) for path in subject.paths]
    # Allowing needs every path inside the pattern; refusing or asking needs one.
    return bool(hits) and (all(hits) if action == "allow" else any(hits))


def _matches(text: str | None, pattern: str) -> bool:
    return text is not None and fnmatchcase(text, pattern)


def _both_ways(path: str, cwd: str) -> tuple[str, str]:
    absolute = posixpath.normpath(posixpath.join(cwd, path))
    return absolute, posixpath.relpath(absolute, cwd)
