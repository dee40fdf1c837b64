"""Decides a permission by rule before a person is asked.

A rule that forbids, or asks, applies also to what it cannot see; one that allows needs to see everything.
Pure, but for the links of the workspace, which are followed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Final

from sandbox_agent_core.api.policy import (
    PermissionAction,
    PermissionMode,
    PermissionPolicy,
    PermissionRule,
)
from sandbox_agent_core.tool_facts import ToolFacts, facts_of

from sandbox_agent_server.sessions.requests.commands import forbids, permits
from sandbox_agent_server.sessions.requests.paths import Place, Workspace

__all__ = ["Decision", "decide"]

_HARMLESS: Final = frozenset({"read", "search", "think"})
_HARMLESS_IN: Final[Mapping[PermissionMode, frozenset[str]]] = {
    "read-only": _HARMLESS,
    "plan": _HARMLESS | {"fetch", "switch_mode"},
}
"""The kinds on which a mode that forbids lets rules and people decide; a kind that is not told is none of them."""
_READS_AND_EDITS: Final = frozenset({"edit", "read"})
_ON_FILES: Final = frozenset({"edit", "delete", "move"})


@dataclass(frozen=True, slots=True)
class Decision:
    action: PermissionAction
    rule: str
    """Name of the rule that applied, or `default`."""


def decide(
    policy: PermissionPolicy,
    tool_call: Mapping[str, Any] | ToolFacts,
    *,
    cwd: str,
    directories: Sequence[str] = (),
    mode: PermissionMode | None = None,
    is_granted: bool = False,
) -> Decision:
    """What a mode forbids is denied; then the first rule that applies decides, then what the mode allows,
    then the policy's default. `directories` are as the workspace. `is_granted`: a person has said `always` to just this, which no rule denies.
    """
    facts = tool_call if isinstance(tool_call, ToolFacts) else facts_of(tool_call)
    if _is_forbidden(mode, facts):
        return Decision("deny", f"mode {mode}")
    subject = _Subject(facts, cwd, directories)
    for number, rule in enumerate(policy.rules, start=1):
        if _applies(rule, subject) and not (is_granted and rule.action == "ask"):
            return Decision(rule.action, rule.name or f"rule {number}")
    if is_granted:
        return Decision("allow", "always")
    if mode == "bypass" or (mode == "accept-edits" and _works_inside(subject)):
        return Decision("allow", f"mode {mode}")
    return Decision(policy.default, "default")


def _is_forbidden(mode: PermissionMode | None, facts: ToolFacts) -> bool:
    """All that was told of the call counts: one that was a command before is no reading now."""
    harmless = _HARMLESS_IN.get(mode) if mode is not None else None
    if harmless is None:
        return False
    return not facts.kinds or not harmless.issuperset(facts.kinds) or _has_command(facts)


def _works_inside(subject: _Subject) -> bool:
    """An edit that says which files, all of them in the workspace and none that widens what is allowed; or no more
    than reading them, which some agents ask for before they edit."""
    facts, places = subject.facts, subject.places
    is_told = bool(facts.kinds) and not facts.is_cut and not _has_command(facts)
    return (
        is_told
        and _READS_AND_EDITS.issuperset(facts.kinds)
        and bool(places)
        and all(p.is_inside and not p.is_protected for p in places)
    )


class _Subject:
    def __init__(self, facts: ToolFacts, cwd: str, directories: Sequence[str]) -> None:
        self.facts = facts
        self._cwd = cwd
        self._directories = directories

    @cached_property
    def places(self) -> list[Place]:
        workspace = Workspace(self._cwd, additional=self._directories)
        paths = dict.fromkeys(path for one in self.facts.tellings for path in one.paths)
        return [workspace.place(path) for path in paths]


def _applies(rule: PermissionRule, subject: _Subject) -> bool:
    if rule.action == "allow":
        return _permits(rule, subject)
    return _forbids(rule, subject)


def _forbids(rule: PermissionRule, subject: _Subject) -> bool:
    """Nothing that is known of the call says that the rule is about something else."""
    facts = subject.facts
    if rule.tool_kind is not None and not _may_be_of_kind(facts, rule.tool_kind):
        return False
    name = rule.tool_name
    if name is not None and facts.names and not any(fnmatchcase(n, name) for n in facts.names):
        return False
    if rule.command is not None and not forbids(rule.command, facts):
        return False
    return rule.path is None or _touches(rule.path, subject)


def _permits(rule: PermissionRule, subject: _Subject) -> bool:
    """Everything that the rule names is known of the call, and is what the rule says."""
    facts = subject.facts
    if rule.tool_kind is not None and facts.kinds != (rule.tool_kind,):
        return False
    if rule.tool_name is not None and not (
        facts.names and all(fnmatchcase(name, rule.tool_name) for name in facts.names)
    ):
        return False
    if rule.command is not None and not permits(rule.command, facts):
        return False
    return rule.path is None or _stays_in(rule, subject)


def _may_be_of_kind(facts: ToolFacts, kind: str) -> bool:
    told = {each.lower() for each in facts.kinds}
    runs = kind == "execute" and _has_command(facts) and not told & _ON_FILES
    return kind in told or facts.has_unknown_kind or runs


def _touches(pattern: str, subject: _Subject) -> bool:
    return subject.facts.is_path_unknown or any(
        place.is_partly_in(pattern) for place in subject.places
    )


def _stays_in(rule: PermissionRule, subject: _Subject) -> bool:
    facts, pattern = subject.facts, rule.path
    assert pattern is not None
    # Which files a command works on nobody knows.
    if facts.is_cut or (_has_command(facts) and rule.command is None):
        return False
    changes = not _HARMLESS.issuperset(facts.kinds) or not facts.kinds
    return bool(subject.places) and all(
        place.is_all_in(pattern)
        and (not changes or not place.is_protected or place.is_named(pattern))
        for place in subject.places
    )


def _has_command(facts: ToolFacts) -> bool:
    return any(one.commands for one in facts.tellings)
