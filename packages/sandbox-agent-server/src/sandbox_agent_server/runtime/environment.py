"""The environment of what is started: that of the server's user, or as much of it as the settings say, and what it was given."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

__all__ = ["build_environment", "with_programs"]

_RESERVED = "SANDBOX_AGENT_"

# Names and globs.
_NEEDED = (
    "HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "LC_*", "TZ", "TERM", "TMPDIR", "XDG_*",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
)  # fmt: skip
_OUTER_AGENT = (
    "AGENT", "AMP_CURRENT_THREAD_ID", "CLAUDECODE", "CLAUDE_AGENT_SDK_VERSION", "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_REMOTE*", "CLAUDE_CODE_SESSION_*", "CLAUDE_CODE_SSE_PORT",
    "CLAUDE_PLUGIN_ROOT", "CLAUDE_PROJECT_DIR", "CODEX_CI", "CODEX_INTERNAL_*", "CODEX_MANAGED_BY_*",
    "CODEX_SANDBOX*", "CODEX_THREAD_ID", "COPILOT_CLI", "CURSOR_AGENT", "CURSOR_CLI", "CURSOR_TRACE_ID",
    "GEMINI_CLI", "GEMINI_CLI_NO_RELAUNCH", "KILO", "KILO_PID", "OPENCODE", "OPENCODE_CALLER", "OPENCODE_PID",
    "PI_CODING_AGENT", "QWEN_CODE",
)  # fmt: skip
"""How agents mark what runs in them. One that finds such a mark takes itself for a part of the agent in whose
terminal the server was started: it talks to the editor of somebody else, or has no network."""


def build_environment(
    server_env: Mapping[str, str],
    *,
    inherit: bool | Sequence[str] = True,
    env_names: Iterable[str] = (),
    configured: Mapping[str, str] | None = None,
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The whole environment of a process. Later sources win.

    From the server's own environment, with `inherit`: everything but the marks of an agent in which the
    server itself runs. Without it: what programs need (home, path, language, proxies, certificates) and
    `env_names`, those that an agent's definition asks for; with names, these too. Then the configuration,
    then what the caller gave. `SANDBOX_AGENT_*` is reserved for the server, holds its token, and never gets in.
    """
    # Agents that find no TERM guess, some of them wrongly, and colour their output.
    env = {"PATH": os.defpath, "TERM": "dumb"}
    if inherit is True:
        is_mark = _matcher(_OUTER_AGENT)
        env.update((name, value) for name, value in server_env.items() if not is_mark(name))
    else:
        is_wanted = _matcher((*_NEEDED, *env_names, *(inherit or ())))
        env.update((name, value) for name, value in server_env.items() if is_wanted(name))
    env.update(configured or {})
    env.update(given or {})
    return {name: value for name, value in env.items() if not name.startswith(_RESERVED)}


def _matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    compiled = re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns))
    return lambda name: compiled.match(name) is not None


def with_programs(env: Mapping[str, str], directory: Path) -> dict[str, str]:
    """The environment with one more directory to look for programs in, after all others."""
    path = env.get("PATH")
    return {**env, "PATH": f"{path}{os.pathsep}{directory}" if path else str(directory)}
