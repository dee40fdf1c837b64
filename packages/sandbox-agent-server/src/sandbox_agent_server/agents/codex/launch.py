"""Finding Codex and starting it: command line, variables, where it gets its model from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from sandbox_agent_core.spi.agent import AgentInstallation

from sandbox_agent_server.agents.installation import find_program, installed_version

__all__ = [
    "ENV_NAMES",
    "INSTALL_HINT",
    "LOGIN_HINT",
    "PROVIDER",
    "command_line",
    "find",
    "provider_settings",
]

INSTALL_HINT: Final = (
    "Run `sandbox-agent-server install-agent codex`, or `npm install -g @openai/codex`."
)
LOGIN_HINT: Final = (
    "Set OPENAI_API_KEY in the `env` of the session or in the environment of the server, or run "
    "`codex login` there."
)
ENV_NAMES: Final = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORGANIZATION",
    "OPENAI_PROJECT",
    "AZURE_OPENAI_*",
    "AWS_*",  # with the provider amazon-bedrock
    # Not CODEX_*: a server that was itself started by Codex has CODEX_SANDBOX and the like.
    "CODEX_ACCESS_TOKEN",
    "CODEX_API_KEY",
    "CODEX_CA_CERTIFICATE",
    "CODEX_HOME",
    "CODEX_SQLITE_HOME",
)

PROVIDER: Final = "sandbox-agent"
"""The model provider that is made from the environment. Its own settings (retries, timeouts) may be
in `[model_providers.sandbox-agent]` of `config.toml`."""

_PROGRAM: Final = "codex"
_KEYS: Final = ("CODEX_API_KEY", "OPENAI_API_KEY")
_OPENAI_URL: Final = "https://api.openai.com/v1"
_SETTINGS: Final = (
    # Plug-ins are fetched from GitHub at every start.
    "features.plugins=false",
    "check_for_update_on_startup=false",
    # A snapshot of the shell, variables and all, is a file: keys would be on the disk.
    "features.shell_snapshot=false",
    # Else a prompt that cannot reach its model waits for a network for ever, and nobody is there to see.
    "features.unbounded_connection_retries=false",
)


def find(env: Mapping[str, str]) -> AgentInstallation | None:
    found = find_program(_PROGRAM, env)
    if found is None:
        return None
    return AgentInstallation(path=found.path, version=installed_version(found.path))


def command_line(
    command: Sequence[str], *, settings: Sequence[str] = (), extra: Sequence[str] = ()
) -> list[str]:
    """`extra` comes last, so that its `-c` settings win over `settings`."""
    argv = [*command, "app-server"]
    for setting in (*_SETTINGS, *settings):
        argv += ["-c", setting]
    return [*argv, *extra]


def provider_settings(
    env: Mapping[str, str], *, configured: str | None, is_logged_in: bool
) -> tuple[str | None, dict[str, Any]]:
    """`(modelProvider, config)` for `thread/start`: where the model is, from the environment.

    Codex itself reads neither variable: it wants a login, which writes the key to disk, or a provider
    in `config.toml`. One that is `configured` there is left alone, and so is a login, unless a base
    URL says otherwise. None and nothing when there is nothing to say.
    """
    base_url = env.get("OPENAI_BASE_URL") or None
    key_name = next((name for name in _KEYS if env.get(name)), None)
    if configured is not None or (is_logged_in and base_url is None):
        return None, {}
    if base_url is None and key_name is None:
        return None, {}
    if key_name is None and is_logged_in:
        return None, {"openai_base_url": base_url}
    url = base_url or _OPENAI_URL
    provider = {"name": _provider_name(url), "base_url": url, "wire_api": "responses"}
    if key_name is not None:
        provider["env_key"] = key_name
    prefix = f"model_providers.{PROVIDER}"
    return PROVIDER, {f"{prefix}.{name}": value for name, value in provider.items()}


def _provider_name(url: str) -> str:
    """Codex uses what only OpenAI has (remote compaction, …) with a provider of that name."""
    host = urlsplit(url).hostname or url
    return "OpenAI" if host == urlsplit(_OPENAI_URL).hostname else host
