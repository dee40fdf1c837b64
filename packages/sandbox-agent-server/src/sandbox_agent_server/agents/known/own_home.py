"""A home beside the user's, for an agent that asks only where its settings say so and takes them from nowhere else.

It has the user's settings with rules that ask, and leads to the user's login and skills. What the agent remembers of its
sessions stays in it.
"""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.errors import AgentStartFailed
from sandbox_agent_core.spi.agent import AgentContext

from sandbox_agent_server.agents.acp.launch import Launch

__all__ = ["OWN_HOME", "AskingRule", "OwnHome", "with_rules"]

OWN_HOME: Final = "sandbox-agent"
"""Its name in the user's home of the agent."""
_CONFIG: Final = "config.toml"
_TABLE: Final = re.compile(r"^\[\s*permission\s*\][^\n]*$", re.M)
_ASK: Final = re.compile(r"^(\s*ask\s*=\s*\[)", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingRule:
    """The same rule in both forms that settings can have."""

    short: str
    """In the list `permission.ask`."""
    members: Mapping[str, str]
    """As one of `permission.rules`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnHome:
    title: str
    variable: str
    """Names the home, the user's as well as this one."""
    default: str
    """The user's, in HOME."""
    shared: Sequence[str]
    """What is taken from the user's, where it is there."""
    rules: Sequence[AskingRule]

    def prepare(self, context: AgentContext) -> Launch:
        """Raises: AgentStartFailed: the home cannot be made, or the rules cannot be added to the settings."""
        home = context.env.get("HOME")
        theirs = context.env.get(self.variable) or (home and str(Path(home, self.default)))
        # A confined agent has a home of its session's own, which is not here.
        if not theirs or context.confine is not None:
            return Launch()
        own = Path(theirs, OWN_HOME)
        try:
            own.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in self.shared:
                _lead(own / name, to=Path(theirs, name))
            config = Path(theirs, _CONFIG)
            text = config.read_text(encoding="utf-8") if config.exists() else ""
            _write(own / _CONFIG, with_rules(text, self.rules))
        except OSError as exc:
            raise AgentStartFailed(
                f"{self.title}'s home {theirs!r} cannot be used: {exc.strerror}"
            ) from exc
        except ValueError as exc:
            raise AgentStartFailed(
                f"{self.title} could not be kept asking: {str(config)!r}: {exc}"
            ) from exc
        return Launch(env={self.variable: str(own)})


def with_rules(text: str, rules: Sequence[AskingRule]) -> str:
    """Settings with more rules, and nothing else changed.

    Raises: ValueError: they are no TOML, or their `permission` is written in a way that takes no more rules.
    """
    settings = tomllib.loads(text)
    permission = settings.get("permission")
    short = ", ".join(f'"{rule.short}"' for rule in rules)
    if not permission:
        extended = f"{text.rstrip()}\n\n[permission]\nask = [{short}]\n"
    elif not isinstance(permission, dict) or not isinstance(permission.get("ask", []), list):
        raise ValueError("`permission` is no table, or its `ask` is no list")
    elif "ask" in permission:
        extended = _after(_ASK, text, f"{short}, ", start=_TABLE)
    elif permission.keys() == {"rules"}:
        extended = f"{text.rstrip()}\n" + "".join(map(_as_table, rules))
    else:
        extended = _after(_TABLE, text, f"\nask = [{short}]")
    if not _has_only_grown(settings, tomllib.loads(extended)):
        raise ValueError("write the rules as `[permission]` with `ask = […]` on lines of their own")
    return extended


def _after(
    pattern: re.Pattern[str], text: str, more: str, *, start: re.Pattern[str] | None = None
) -> str:
    begin = start.search(text) if start is not None else None
    found = pattern.search(text, begin.end() if begin is not None else 0)
    return text if found is None else text[: found.end()] + more + text[found.end() :]


def _as_table(rule: AskingRule) -> str:
    members = "".join(f'{name} = "{value}"\n' for name, value in rule.members.items())
    return f"\n[[permission.rules]]\n{members}"


def _has_only_grown(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    grown = after.get("permission", {})
    old = before.get("permission") or {}
    others = {name: value for name, value in before.items() if name != "permission"}
    if others != {name: value for name, value in after.items() if name != "permission"}:
        return False
    kept = all(
        all(each in grown.get(name, []) for each in value)
        if isinstance(value, list)
        else grown.get(name) == value
        for name, value in old.items()
    )
    counts = [len(each.get("ask", [])) + len(each.get("rules", [])) for each in (old, grown)]
    return kept and counts[1] > counts[0]


def _lead(own: Path, *, to: Path) -> None:
    if to.exists() and not own.exists():
        own.unlink(missing_ok=True)
        own.symlink_to(Path("..", to.name))


def _write(path: Path, text: str) -> None:
    """Whole, or not at all: other sessions read it."""
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    Path(part).replace(path)
