"""A session's options as Claude takes them: on its command line, or in its handshake."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sandbox_agent_core.agent_options import ClaudeOptions
from sandbox_agent_core.errors import InvalidRequest, WorkspaceNotTrusted
from sandbox_agent_core.lenient import compact

__all__ = ["check_options", "handshake_fields", "option_flags", "sources_flag"]


def check_options(options: ClaudeOptions, *, workspace: Path, trust_workspace: bool) -> None:
    """No option makes anything of the workspace run that is not trusted.

    Raises: WorkspaceNotTrusted, InvalidRequest.
    """
    for source in options.setting_sources or ():
        if source != "user" and not trust_workspace:
            raise WorkspaceNotTrusted(
                f"`settingSources` with {source!r} takes settings and hooks of the workspace: set `trustWorkspace`"
            )
    for plugin in options.plugins or ():
        path = Path(plugin)
        if not path.is_absolute() or not path.is_dir():
            raise InvalidRequest(f"`plugins`: {plugin!r} is no absolute path of a directory")
        if not trust_workspace and path.resolve().is_relative_to(workspace.resolve()):
            raise WorkspaceNotTrusted(
                f"the plugin {plugin!r} is a part of the workspace: set `trustWorkspace`"
            )


def option_flags(options: ClaudeOptions) -> list[str]:
    """Each one word: what starts with a dash must not become an option of its own."""
    given = {
        "max-turns": options.max_turns,
        "max-budget-usd": options.max_budget_usd,
        "fallback-model": options.fallback_model,
        "disallowedTools": _list(options.disallowed_tools),
        "tools": _list(options.tools),
        "betas": _list(options.betas),
        "max-thinking-tokens": options.max_thinking_tokens,
    }
    flags = [f"--{name}={value}" for name, value in given.items() if value is not None]
    return [*flags, *(f"--plugin-dir={plugin}" for plugin in options.plugins or ())]


def sources_flag(sources: Sequence[str] | None) -> list[str]:
    return [] if sources is None else [f"--setting-sources={','.join(sources)}"]


def handshake_fields(options: ClaudeOptions) -> dict[str, Any]:
    """Of `initialize`: what is long, or nobody else's business, is not to be seen in `ps`."""
    agents = {
        name: agent.model_dump(mode="json", by_alias=True, exclude_none=True)
        for name, agent in (options.agents or {}).items()
    }
    return compact(
        jsonSchema=options.output_schema,
        agents=agents or None,
        skills=options.skills,
        systemPrompt=options.system_prompt,
    )


def _list(names: Sequence[str] | None) -> str | None:
    return None if names is None else ",".join(names)
