"""Every setting of the server, in one frozen object: flags over environment over file over default."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from sandbox_agent_server.limits import Limits

__all__ = [
    "ENV_PREFIX",
    "AgentSettings",
    "ConfinementSettings",
    "ModelPrice",
    "Settings",
    "SettingsError",
    "default_agents_dir",
    "default_data_dir",
    "is_loopback",
    "load_settings",
    "port_range",
]

ENV_PREFIX = "SANDBOX_AGENT_"
_MIB = 1024 * 1024


class SettingsError(ValueError):
    """A setting is wrong; the message names it and says what is expected."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AgentSettings(_Frozen):
    """`[agents.NAME]` of the configuration file."""

    command: tuple[str, ...] | None = Field(
        None, description="Any program that speaks ACP on stdio."
    )
    env: Mapping[str, str] = Field(default_factory=dict)
    title: str | None = None
    warm: int = Field(
        0,
        ge=0,
        le=16,
        description="How many are kept ready, started and opened, for sessions that bring no environment, "
        "MCP servers or system prompt of their own.",
    )
    options: Mapping[str, Any] = Field(default_factory=dict)
    allowed_options: tuple[str, ...] | None = Field(
        None,
        description="Which `agentOptions` a session may have. Default: all that cannot loosen a policy or trust.",
    )

    @model_validator(mode="after")
    def _command_is_not_empty(self) -> Self:
        if self.command is not None and not self.command:
            raise ValueError("`command` is empty; give the program and its arguments as a list")
        return self


class ModelPrice(_Frozen):
    """`[prices."MODEL"]`: USD for a million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_read: float | None = Field(
        None, ge=0, description="Of input that was in the cache. Default: as other input."
    )
    cached_write: float | None = Field(
        None, ge=0, description="Of input that was put into the cache. Default: as other input."
    )


class ConfinementSettings(_Frozen):
    """`[confine]`, or `confine = true`: agents run under bubblewrap."""

    home: Literal["hidden", "read-only"] = Field(
        "hidden", description="What agents see of the user's home besides what they need of it."
    )
    network: bool = Field(True, description="False: none at all.")
    writable: tuple[Path, ...] = Field(
        (), description="What they may change besides the workspace."
    )
    readable: tuple[Path, ...] = Field((), description="What they may read, too.")
    hidden: tuple[Path, ...] = Field((), description="What they never see, wherever it is.")


class Settings(_Frozen):
    host: str = "127.0.0.1"
    port: int = Field(2468, ge=0, le=65535, description="0 takes a free one.")
    token: SecretStr | None = Field(None, description="Generated when not given.")
    no_token: bool = False
    insecure: bool = Field(
        False, description="Allow --no-token on an address that others can reach."
    )
    data_dir: Path = Field(default_factory=lambda: default_data_dir(os.environ))
    root: Path | None = Field(
        None,
        description="Files, working directories and configuration of callers must be beneath it. Default: anywhere.",
    )
    durability: Literal["process", "power"] = Field(
        "process",
        description="What of a log survives: the death of the server, or a power failure too.",
    )
    retention_days: float | None = Field(
        None, gt=0, description="Remove sessions at rest that were not written to for so long."
    )
    retention_bytes: int | None = Field(
        None,
        ge=1 * _MIB,
        description="Remove the oldest sessions at rest while all logs together are larger.",
    )
    store: SecretStr | None = Field(
        None,
        description="URL of a transcript store that all sessions are copied to, so that they outlive this sandbox.",
    )
    turn_diffs: bool = Field(
        True,
        description="Tell what each turn has done to the files (`turn.diff`), in sessions that do not say otherwise.",
    )
    acp_v2: bool = Field(
        False,
        description="Speak the draft of ACP's version 2 on `/acp` to clients that ask for it. It may change.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "text", "json"] = "auto"
    allow_hosts: tuple[str, ...] = Field(
        (), description="Host names accepted besides the bound one."
    )
    cors_origins: tuple[str, ...] = Field((), description="Web origins that may call the API.")
    allow_ports: tuple[str, ...] = Field(
        (), description="Ports of the sandbox (3000, 3000-3999) that may be reached. Default: all."
    )
    deny_ports: tuple[str, ...] = Field((), description="Those that may not, of the allowed.")
    warm: tuple[str, ...] = Field(
        (), description="Agents of which one is kept ready, as with `warm = 1` of `[agents.NAME]`."
    )
    inherit_env: bool | tuple[str, ...] = Field(
        True,
        description="Whether agents get the server's environment; names and globs: only these, besides what "
        "they cannot do without.",
    )
    agents_dir: Path = Field(
        default_factory=lambda: default_agents_dir(os.environ),
        description="Where agents are installed; its `bin/` is searched after the PATH.",
    )
    agents_source: Path | None = Field(
        None, description="Install from this directory and never from the network."
    )
    npm_registry: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]",
        description="The npm registry of agents where the npm configuration names none. Default: that of npm itself.",
    )
    auto_install: bool = Field(
        True, description="Install an agent when a session wants it and it is not there."
    )
    require_preinstalled: bool = Field(
        False, description="Never install anything from the network."
    )
    trust_workspace: bool = Field(
        False,
        description="Whether hooks, plugins and MCP programs of a workspace run in sessions that do not say.",
    )
    confine: ConfinementSettings | None = Field(
        None, description="Confine agents to their workspace. Linux with bubblewrap only."
    )
    ready_file: Path | None = None
    exit_with_parent: bool = False
    agents: Mapping[str, AgentSettings] = Field(default_factory=dict)
    prices: Mapping[str, ModelPrice] = Field(
        default_factory=dict,
        description='`[prices."MODEL"]`: what tokens of a model cost, before what the server knows of it.',
    )
    limits: Limits = Field(default_factory=lambda: Limits.model_validate({}))

    @property
    def agents_bin(self) -> Path:
        """Where the programs of installed agents are found."""
        return self.agents_dir.absolute() / "bin"

    @field_validator("confine", mode="before")
    @classmethod
    def _is_switch_or_table(cls, value: Any) -> Any:
        switch = str(value).lower()
        return ({} if switch in _TRUE else None) if switch in _BOOLEANS else value

    @field_validator("root")
    @classmethod
    def _is_directory(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"{str(value)!r} is no directory; make it first")
        return value

    @field_validator("allow_ports", "deny_ports", mode="before")
    @classmethod
    def _are_ports(cls, value: Any) -> Any:
        """As numbers too, as one writes them in a file."""
        return [str(port) for port in value] if isinstance(value, list | tuple) else value

    @field_validator("allow_ports", "deny_ports")
    @classmethod
    def _are_ranges(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            port_range(text)
        return value

    @field_validator("inherit_env")
    @classmethod
    def _are_names(cls, value: bool | tuple[str, ...]) -> bool | tuple[str, ...]:
        for name in value if isinstance(value, tuple) else ():
            if not name or "=" in name:
                raise ValueError(f"{name!r} is no name or glob of a variable")
        return value

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.no_token and self.token is not None:
            raise ValueError("`token` and `no_token` exclude each other")
        if self.token is not None and len(self.token.get_secret_value()) < 8:
            raise ValueError("`token` is too short: use at least 8 characters")
        if self.no_token and not self.insecure and not is_loopback(self.host):
            raise ValueError(
                f"`no_token` on {self.host!r} would let anyone on the network run programs here; "
                "bind 127.0.0.1, use a token, or say --insecure"
            )
        return self


def is_loopback(host: str) -> bool:
    """A name or an address of this machine. `127.evil.example` is somebody else's name."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
_LAST_PORT = 65535


def port_range(text: str) -> range:
    """Of `3000` or `3000-3999`, with both ends. Raises: ValueError."""
    match = _PORTS.fullmatch(text.strip())
    first = int(match[1]) if match else 0
    last = int(match[2] or first) if match else 0
    if not 1 <= first <= last <= _LAST_PORT:
        raise ValueError(f"{text!r} is no port (3000) and no range of them (3000-3999)")
    return range(first, last + 1)


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """`$XDG_DATA_HOME/sandbox-agent`, usually `~/.local/share/sandbox-agent`."""
    base = environ.get("XDG_DATA_HOME") or str(
        Path(environ.get("HOME", "~")).expanduser() / ".local/share"
    )
    return Path(base) / "sandbox-agent"


def default_agents_dir(environ: Mapping[str, str]) -> Path:
    """One for all servers of a user, whatever their `data_dir`: agents are large."""
    return default_data_dir(environ) / "agents"


def load_settings(
    flags: Mapping[str, Any], environ: Mapping[str, str], config: Path | None = None
) -> Settings:
    """Merge flags (None: not given), `SANDBOX_AGENT_*` and the TOML file.

    Raises:
        SettingsError: a value is wrong, the file cannot be read, or a key is unknown.
    """
    path = config or (
        Path(environ[ENV_PREFIX + "CONFIG"]) if environ.get(ENV_PREFIX + "CONFIG") else None
    )
    given = {key: value for key, value in flags.items() if value is not None}
    merged: dict[str, Any] = _read_file(path) if path is not None else {}
    limits = merged.pop("limits", {})
    if not isinstance(limits, dict):
        raise SettingsError(f"limits: expected a table, not {limits!r}")
    for layer in (_of_environment(environ), given):
        limits.update(layer.pop("limits", {}))
        _lay_over(merged, layer)
    merged["limits"] = limits
    try:
        return Settings.model_validate(merged)
    except ValidationError as exc:
        raise SettingsError(_explain(exc)) from exc


def _lay_over(merged: dict[str, Any], layer: dict[str, Any]) -> None:
    """Of the pair `token` and `no_token`, the later layer also replaces the other half."""
    if "token" in layer:
        merged.pop("no_token", None)
    elif str(layer.get("no_token")).lower() in _TRUE:
        merged.pop("token", None)
    merged.update(layer)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise SettingsError(f"cannot read the configuration {str(path)!r}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SettingsError(f"{str(path)!r} is not TOML: {exc}") from exc


_FROM_ENV = (
    "host", "port", "token", "no_token", "insecure", "data_dir", "log_level", "log_format", "ready_file",
    "exit_with_parent", "agents_dir", "agents_source", "npm_registry", "auto_install", "require_preinstalled", "durability",
    "retention_days", "retention_bytes", "trust_workspace", "confine", "root", "turn_diffs", "acp_v2", "store",
)  # fmt: skip
_LISTS_FROM_ENV = ("allow_hosts", "cors_origins", "warm", "allow_ports", "deny_ports")


_TRUE = frozenset({"true", "1", "yes", "on"})
_BOOLEANS = _TRUE | {"false", "0", "no", "off"}


def _of_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    def given(names: Iterable[str]) -> dict[str, str]:
        found = {name: environ.get(ENV_PREFIX + name.upper()) for name in names}
        return {name: value for name, value in found.items() if value}

    lists = {name: _parts(value) for name, value in given(_LISTS_FROM_ENV).items()}
    inherit = {
        name: value if value.lower() in _BOOLEANS else _parts(value)
        for name, value in given(("inherit_env",)).items()
    }
    return {**given(_FROM_ENV), **lists, **inherit, "limits": given(Limits.model_fields)}


def _parts(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _explain(exc: ValidationError) -> str:
    lines = []
    for error in exc.errors(include_input=False, include_url=False):
        where = ".".join(str(part) for part in error["loc"])
        message = error["msg"].removeprefix("Value error, ")
        lines.append(f"{where}: {message}" if where else message)
    return "; ".join(lines)
