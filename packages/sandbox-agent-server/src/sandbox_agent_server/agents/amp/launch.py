"""Finding Amp and starting it: command line, login, and the settings file that makes it ask."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.agent_options import AmpOptions
from sandbox_agent_core.frames.jsonrpc import RESOURCE_NOT_FOUND
from sandbox_agent_core.lenient import dicts_in
from sandbox_agent_core.spi.agent import AgentInstallation

from sandbox_agent_server.agents.installation import find_program, installed_version
from sandbox_agent_server.agents.native.refusals import Refused
from sandbox_agent_server.agents.native.session_params import McpServer, SessionParams

__all__ = [
    "ENV_NAMES",
    "INSTALL_HINT",
    "LOGIN_HINT",
    "PACKAGES",
    "InvalidSettings",
    "command_line",
    "find",
    "is_logged_in",
    "prompt_command",
    "read_thread",
    "settings_with",
]

INSTALL_HINT: Final = (
    "Run `sandbox-agent-server install-agent amp`, or `npm install -g @sourcegraph/amp`."
)
LOGIN_HINT: Final = "Set AMP_API_KEY in the environment, or run `amp login` as this user."
ENV_NAMES: Final = ("AMP_API_KEY", "AMP_SETTINGS_FILE", "AMP_TOOLBOX", "AMP_URL")

PACKAGES: Final = ("@ampcode/cli*", "@sourcegraph/amp*")
_PROGRAM: Final = "amp"
_THREAD: Final = re.compile(r"T-[0-9A-Za-z-]{1,80}")
_AT_HOME: Final = (".amp/bin/amp", ".local/bin/amp")
_JSONC: Final = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA: Final = re.compile(r'"(?:\\.|[^"\\])*"|,(?=\s*[}\]])')
_PERMISSIONS: Final = "amp.permissions"


class InvalidSettings(ValueError):
    """The user's own settings of Amp cannot be read, so they cannot be kept."""


def find(env: Mapping[str, str]) -> AgentInstallation | None:
    found = find_program(_PROGRAM, env, at_home=_AT_HOME)
    version = installed_version(found.path, *PACKAGES) if found else None
    return found and AgentInstallation(path=found.path, version=version)


def read_thread(value: Any) -> str:
    """Raises: Refused for what is no id of a thread, as that of a session that was never prompted."""
    if not isinstance(value, str) or not _THREAD.fullmatch(value):
        raise Refused(RESOURCE_NOT_FOUND, f"Amp has no thread {value!r}")
    return value


def is_logged_in(env: Mapping[str, str]) -> bool:
    """Without a key Amp would open a browser and wait for a code."""
    if env.get("AMP_API_KEY"):
        return True
    data = env.get("XDG_DATA_HOME") or Path(env.get("HOME") or "/", ".local", "share")
    return Path(data, "amp", "secrets.json").is_file()


def prompt_command(
    command: Sequence[str],
    params: SessionParams,
    *,
    thread: str | None,
    ask_program: Path,
    env: Mapping[str, str],
    mode: str | None = None,
    options: AmpOptions | None = None,
    extra: Sequence[str] = (),
) -> list[str]:
    """What runs one prompt. Its files are beside `ask_program`, which is private and goes with the session.

    Raises: InvalidSettings, OSError.
    """
    directory, servers = ask_program.parent, params.mcp_servers
    settings = settings_with(env, ask_program=ask_program, system_prompt=params.system_prompt)
    configs = {server.name: _mcp_config(server) for server in servers}
    return command_line(
        command,
        thread=thread,
        settings=_write(directory / "settings.json", settings),
        mcp_config=_write(directory / "mcp.json", configs) if configs else None,
        mode=mode,
        options=options,
        extra=extra,
    )


def command_line(
    command: Sequence[str],
    *,
    thread: str | None,
    settings: Path,
    mcp_config: Path | None,
    mode: str | None = None,
    options: AmpOptions | None = None,
    extra: Sequence[str] = (),
) -> list[str]:
    """The prompt is not on it: it comes on stdin, where nobody else sees it."""
    argv = [*command]
    if thread is not None:
        argv += ["threads", "continue", thread]
    argv += ["--execute", "--stream-json", "--stream-json-thinking", "--stream-json-input"]
    argv += ["--settings-file", str(settings)]
    if mcp_config is not None:
        argv += ["--mcp-config", str(mcp_config)]
    # A thread that `--execute` has made is archived when the command ends, and this one goes on.
    argv += ["--no-archive-after-execute"]
    if mode is not None:
        argv += [f"--mode={mode}"]
    return [*argv, *_option_flags(options or AmpOptions(), is_new=thread is None), *extra]


def _option_flags(options: AmpOptions, *, is_new: bool) -> list[str]:
    """Each one word: what starts with a dash must not become an option of its own."""
    flags = [f"--label={label}" for label in options.labels or ()]
    if is_new:
        if options.title is not None:
            flags.append(f"--title={options.title}")
        if options.visibility is not None:
            flags.append(f"--visibility={options.visibility}")
        flags += [f"--features={feature}" for feature in options.features or ()]
    return flags


def settings_with(
    env: Mapping[str, str], *, ask_program: Path, system_prompt: str | None
) -> dict[str, Any]:
    """The user's settings, changed so that what they do not allow or reject is asked about.

    Raises:
        InvalidSettings: there are some and they cannot be read.
    """
    settings = _own_settings(env)
    rules = settings.get(_PERMISSIONS)
    ask = {"action": "delegate", "to": str(ask_program)}
    kept = [
        # Amp can ask nobody by itself when it is driven like this.
        {**rule, **ask} if rule.get("action") == "ask" else rule
        for rule in dicts_in(rules)
    ]
    # Amp's built-in rules come after ours, so they never apply: more is asked than Amp would ask.
    settings[_PERMISSIONS] = [*kept, {"tool": "*", **ask}]
    # A switch of the user's own that would go round all rules.
    settings.pop("amp.dangerouslyAllowAll", None)
    if system_prompt is not None:
        own = settings.get("amp.systemPrompt")
        parts = [own, system_prompt] if isinstance(own, str) else [system_prompt]
        settings["amp.systemPrompt"] = "\n\n".join(parts)
    return settings


def _own_settings(env: Mapping[str, str]) -> dict[str, Any]:
    config = env.get("XDG_CONFIG_HOME") or Path(env.get("HOME") or "/", ".config")
    path = Path(env.get("AMP_SETTINGS_FILE") or Path(config, "amp", "settings.json"))
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise InvalidSettings(f"Amp's settings {path} cannot be read: {exc}") from exc
    try:
        settings = json.loads(_without_comments(text)) if text.strip() else {}
    except ValueError as exc:
        raise InvalidSettings(f"Amp's settings {path} are not JSON: {exc}") from exc
    if not isinstance(settings, dict):
        raise InvalidSettings(f"Amp's settings {path} are not a JSON object")
    return settings


def _without_comments(text: str) -> str:
    """Amp takes comments and trailing commas in its settings."""
    for pattern in (_JSONC, _TRAILING_COMMA):
        text = pattern.sub(lambda found: found[0] if found[0].startswith('"') else " ", text)
    return text


def _mcp_config(server: McpServer) -> dict[str, Any]:
    """Amp tells the kinds apart by their members."""
    if server.transport == "stdio":
        return {"command": server.command, "args": list(server.args), "env": dict(server.env)}
    return {"url": server.url, "headers": dict(server.headers)}


def _write(path: Path, value: Any) -> Path:
    path.touch(mode=0o600)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path
