"""Options of a session in Codex's words: members of what opens a thread, and settings of its configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.agent_options import CodexOptions
from sandbox_agent_core.lenient import compact

from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["option_params", "option_settings", "profile_settings"]

# Also the tables of these. What Codex may do is for the session's mode and its policy to say.
_NOT_OF_A_PROFILE: Final = frozenset(
    {
        "approval_policy",
        "approvals_reviewer",
        "default_permissions",
        "permissions",
        "projects",
        "sandbox_mode",
        "sandbox_workspace_write",
    }
)


def option_params(options: CodexOptions) -> Native:
    """Beside the configuration."""
    return compact(personality=options.personality, serviceTier=options.service_tier)


def option_settings(options: CodexOptions) -> dict[str, Any]:
    web_search = "live" if options.live_web_search else options.web_search
    return {
        **compact(
            compact_prompt=options.compact_prompt,
            model_auto_compact_token_limit=options.auto_compact_tokens,
            model_reasoning_summary=options.summary,
            model_verbosity=options.verbosity,
            review_model=options.review_model,
            web_search=web_search,
        ),
        **(options.config or {}),
    }


def profile_settings(name: str, env: Mapping[str, str]) -> dict[str, Any]:
    """The settings of `NAME.config.toml`, by their dotted names: the app-server itself takes no profile.

    Reads a file. Raises: InvalidParams when there is none, or none that can be read.
    """
    home = env.get("CODEX_HOME") or str(Path(env.get("HOME", "/")) / ".codex")
    path = Path(home) / f"{name}.config.toml"
    try:
        profile = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise InvalidParams(f"the profile {name!r} cannot be read: {exc}") from exc
    kept = {key: value for key, value in profile.items() if key not in _NOT_OF_A_PROFILE}
    return dict(_dotted(kept, ""))


def _dotted(table: Mapping[str, Any], before: str) -> list[tuple[str, Any]]:
    """One setting each, so that what else is in a table stays. A name that has a dot cannot be said so: its table
    is one setting."""
    found: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, dict) and not any("." in inner for inner in value):
            found += _dotted(value, f"{before}{key}.")
        else:
            found.append((before + key, value))
    return found
