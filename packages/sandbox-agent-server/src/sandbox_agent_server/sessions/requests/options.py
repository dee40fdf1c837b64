"""Which of the options that an agent offers an answer stands for, and what a session remembers where none will do."""

from __future__ import annotations

import re
from typing import Any, Final

from sandbox_agent_core.lenient import as_id, as_str, compact
from sandbox_agent_core.tool_facts import ToolFacts

__all__ = ["choose_option", "grant_of", "offers_only_lasting", "scope_of"]

_ALWAYS: Final = "allow_always"
_LASTING_ID: Final = re.compile(
    r"project|user|save|global|persist|workspace|repo|amendment|permanent|forever", re.IGNORECASE
)
_LASTING_NAME: Final = re.compile(
    r"\b(?:in|for|on) (?:this |the |all )?(?:project|user|workspace|repo\w*|machine|global\w*)\b"
    r"|\b(?:future|all|every|other) sessions?\b|\bpermanent|\bforever\b|\bsave\b",
    re.IGNORECASE,
)


def choose_option(options: list[Any], wanted: tuple[str, ...]) -> dict[str, Any] | None:
    """The offered option of the first wanted kind. Options are chosen by kind: their ids are opaque.

    One that would outlive the session, in a file of the repository or of the user, is for a person to choose by its id.
    """
    for kind in wanted:
        for option in options:
            if _is_of_kind(option, kind) and not (kind == _ALWAYS and _is_lasting(option)):
                return dict(option)
    return None


def offers_only_lasting(options: list[Any]) -> bool:
    """An `always` is offered, and none that ends with the session."""
    offered = [_is_lasting(option) for option in options if _is_of_kind(option, _ALWAYS)]
    return bool(offered) and all(offered)


def scope_of(option: dict[str, Any]) -> str | None:
    """How long an option holds; None where it outlives the session, or nobody knows."""
    match option.get("kind"):
        case "allow_once" | "reject_once":
            return "once"
        case "allow_always" | "reject_always" if not _is_lasting(option):
            return "session"
        case _:
            return None


def grant_of(facts: ToolFacts) -> dict[str, Any] | None:
    """What an `always` stands for where the session remembers it: just this. None: of the call too little is known."""
    if facts.is_cut or facts.earlier or not (facts.commands or facts.paths or facts.names):
        return None
    return compact(
        kinds=list(facts.kinds),
        names=list(facts.names),
        command=facts.command,
        paths=list(facts.paths),
    )


def _is_of_kind(option: Any, kind: str) -> bool:
    is_option = isinstance(option, dict) and as_id(option.get("optionId")) is not None
    return is_option and bool(option.get("kind") == kind)


def _is_lasting(option: dict[str, Any]) -> bool:
    id, name = as_id(option.get("optionId")) or "", as_str(option.get("name")) or ""
    return bool(_LASTING_ID.search(id) or _LASTING_NAME.search(name))
