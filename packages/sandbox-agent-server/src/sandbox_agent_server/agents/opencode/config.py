"""The configuration given in a variable, which OpenCode lays over the user's own files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.agent_options import OpenCodeOptions
from sandbox_agent_core.lenient import as_dict, as_list, compact

from sandbox_agent_server.agents.opencode.variant import Variant
from sandbox_agent_server.agents.settings_files import laid_over, parse_settings, read_settings

__all__ = ["NO_OPTIONS", "config_content"]

NO_OPTIONS: Final = OpenCodeOptions()
_ASKED_FOR: Final = ("bash", "edit", "webfetch")
"""By itself it asks for none of them."""
_FILES: Final = ("config.json", "{name}.json", "{name}.jsonc")
_KEYS: Final = (
    "ANTHROPIC_API_KEY", "CEREBRAS_API_KEY", "DEEPSEEK_API_KEY", "GEMINI_API_KEY",
    "GOOGLE_GENERATIVE_AI_API_KEY", "GROQ_API_KEY", "MISTRAL_API_KEY", "OPENAI_API_KEY",
    "OPENROUTER_API_KEY", "XAI_API_KEY", "ZAI_API_KEY",
)  # fmt: skip
# Its SDKs want the version of the API in the URL, which these two variables do without.
_BASE_URLS: Final = {
    "anthropic": ("ANTHROPIC_BASE_URL", "/v1"),
    "openai": ("OPENAI_BASE_URL", ""),
    "google": ("GOOGLE_GEMINI_BASE_URL", "/v1beta"),
}


def config_content(
    variant: Variant,
    env: Mapping[str, str],
    *,
    instructions: Sequence[str] = (),
    options: OpenCodeOptions = NO_OPTIONS,
    skills: Path | None = None,
) -> str:
    """JSON for the variable. What the user has settled, in files or in the variable, is left to them.

    A configuration in the workspace is not the user's: what a repository brings along may not make
    the agent stop asking. `instructions`: memory files to be read beside the user's own. `options`: of the
    session, above all of that.
    """
    given = parse_settings(env.get(f"{variant.prefix}CONFIG_CONTENT", ""))
    ours: dict[str, Any] = {"share": "disabled", "autoupdate": False}
    settled = [given.get("permission"), *(own.get("permission") for own in _own(variant, env))]
    if missing := {tool: "ask" for tool in _ASKED_FOR if not _settles(settled, tool)}:
        ours["permission"] = missing
    providers = {
        provider: {"options": {"baseURL": _with_version(env[name], version)}}
        for provider, (name, version) in _BASE_URLS.items()
        if env.get(name)
    }
    if providers:
        ours["provider"] = providers
    if any(env.get(key) for key in _KEYS) and not _has_account(variant, env):
        # Its own provider has models that need no key, and would come first.
        ours["disabled_providers"] = [variant.name]
    if instructions:
        given = {**given, "instructions": [*as_list(given.get("instructions")), *instructions]}
    if skills is not None:
        own = as_dict(given.get("skills"))
        paths = [*as_list(own.get("paths")), str(skills / "skills")]
        given = {**given, "skills": {**own, "paths": paths}}
    return json.dumps(laid_over(laid_over(ours, given), _of_options(variant, options)))


def _of_options(variant: Variant, options: OpenCodeOptions) -> dict[str, Any]:
    every = compact(steps=options.max_steps, temperature=options.temperature, top_p=options.top_p)
    agents: dict[str, Any] = {
        name: dict(every) for name in (variant.default_agent, "plan") if every
    }
    if options.system_prompt is not None:
        agents.setdefault(variant.default_agent, {})["prompt"] = options.system_prompt
    for name, agent in (options.agents or {}).items():
        agents[name] = every | agent.model_dump(exclude_none=True)
    compaction = compact(auto=options.auto_compact, prune=options.prune)
    return compact(
        agent=agents or None,
        compaction=compaction or None,
        small_model=options.small_model,
        snapshot=options.snapshots,
        plugin=options.plugins,
    )


def _settles(permissions: list[Any], tool: str) -> bool:
    """One word holds for all tools; so does `*`."""
    return any(
        isinstance(permission, str)
        or (isinstance(permission, dict) and (tool in permission or "*" in permission))
        for permission in permissions
    )


def _own(variant: Variant, env: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    home = env.get("HOME") or "~"
    folders = [Path(env.get("XDG_CONFIG_HOME") or Path(home, ".config"), variant.name)]
    if directory := env.get(f"{variant.prefix}CONFIG_DIR"):
        folders.append(Path(directory))
    files = [folder / name.format(name=variant.name) for folder in folders for name in _FILES]
    if file := env.get(f"{variant.prefix}CONFIG"):
        files.append(Path(file))
    yield from map(read_settings, files)


def _has_account(variant: Variant, env: Mapping[str, str]) -> bool:
    """With the agent's own provider."""
    if env.get(f"{variant.prefix}API_KEY"):
        return True
    data = Path(env.get("XDG_DATA_HOME") or Path(env.get("HOME") or "~", ".local/share"))
    try:
        logins = json.loads((data / variant.name / "auth.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(logins, dict) and variant.name in logins


def _with_version(url: str, version: str) -> str:
    url = url.rstrip("/")
    return url if url.endswith(version) else f"{url}{version}"
