"""Bodies of `/v1/config/mcp` and `/v1/config/skills`: what sessions in a directory get, whoever makes them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, RootModel, field_validator, model_validator

from sandbox_agent_core.api.base import RequestBody, ResponseBody

__all__ = [
    "CONFIG_NAME_MAX_CHARS",
    "McpConfigList",
    "McpLocalConfig",
    "McpRemoteConfig",
    "McpServerConfig",
    "SkillSource",
    "SkillsConfig",
    "SkillsConfigList",
]

CONFIG_NAME_MAX_CHARS: Final = 128
_TYPES: Final = {
    "local": "local",
    "stdio": "local",
    "http": "remote",
    "remote": "remote",
    "sse": "remote",
}
_TRANSPORTS: Final = {"http": "http", "streamablehttp": "http", "sse": "sse"}
_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _McpConfig(RequestBody):
    enabled: bool | None = Field(default=None, description="False: sessions do not get it.")
    timeout_ms: int | None = Field(
        default=None,
        ge=1,
        le=3_600_000,
        description="Of a call of its tools, with agents that have one for each server.",
    )


class McpLocalConfig(_McpConfig):
    """A program in the sandbox that speaks MCP on its standard input and output."""

    type: Literal["local"] = "local"
    command: str = Field(min_length=1)
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] | None = Field(
        default=None,
        repr=False,
        description="Added to its environment. `${NAME}` in a value is what the variable `NAME` has in the environment "
        "of the session's agent, so that a key need not be in the file.",
    )
    cwd: str | None = Field(
        default=None,
        description="Where it runs; relative to the directory. Default: the session's.",
    )

    @field_validator("command")
    @classmethod
    def _is_a_program(cls, command: str) -> str:
        return _text(command)

    @field_validator("args")
    @classmethod
    def _are_arguments(cls, args: list[str]) -> list[str]:
        return [_text(arg) for arg in args]

    @field_validator("env")
    @classmethod
    def _is_an_environment(cls, env: dict[str, str] | None) -> dict[str, str] | None:
        for name, value in (env or {}).items():
            if not name or "=" in name:
                raise ValueError("the name of a variable is not empty and has no `=`")
            _text(name + value)
        return env


class McpRemoteConfig(_McpConfig):
    """A server at a URL."""

    type: Literal["remote"] = "remote"
    url: str
    transport: Literal["http", "sse"] | None = Field(
        default=None,
        description="`http` (also `streamable-http`), or `sse` for one of the older kind. Default: `http`.",
    )
    headers: dict[str, str] | None = Field(
        default=None,
        repr=False,
        description="Sent with each request. `${NAME}` as in `env` of a program.",
    )
    env_headers: dict[str, str] | None = Field(
        default=None, description="Header -> name of the variable that has its value."
    )
    bearer_token_env_var: str | None = Field(
        default=None,
        description="Name of the variable that has the token for `Authorization: Bearer`.",
    )
    oauth: bool | dict[str, Any] | None = Field(
        default=None,
        repr=False,
        description="False: none. An object is for agents that log in by themselves and take settings for it.",
    )

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        if not url.lower().startswith(("http://", "https://")) or len(url) <= len("https://"):
            raise ValueError("must begin with http:// or https://")
        return _text(url)

    @field_validator("transport", mode="before")
    @classmethod
    def _by_any_of_its_names(cls, transport: Any) -> Any:
        if isinstance(transport, str):
            return _TRANSPORTS.get(re.sub("[-_ ]", "", transport).lower(), transport)
        return transport

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str] | None) -> dict[str, str] | None:
        for name, value in (headers or {}).items():
            if not name or any(char in name + value for char in "\r\n\0"):
                raise ValueError("a header has a name, and no line break")
        return headers

    @model_validator(mode="after")
    def _names_variables(self) -> Self:
        named = [*(self.env_headers or {}).values()]
        if self.bearer_token_env_var is not None:
            named.append(self.bearer_token_env_var)
        for name in named:
            if not _ENV_NAME.fullmatch(name):
                raise ValueError(
                    "`bearerTokenEnvVar` and `envHeaders` have names of variables, not what these hold"
                )
        if any(not header or "\n" in header or "\r" in header for header in self.env_headers or {}):
            raise ValueError("a header has a name, and no line break")
        return self


class McpServerConfig(
    RootModel[Annotated[McpLocalConfig | McpRemoteConfig, Field(discriminator="type")]]
):
    """An MCP server: `type` is `local` (also `stdio`), or `remote` (also `http` or `sse`)."""

    model_config = ConfigDict(hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _by_any_of_its_types(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        server = dict(given)
        wanted = server.get("type")
        if wanted is None:
            raise ValueError(
                "`type` is missing: it is local or stdio (a program), or remote, http or sse (a URL)"
            )
        if not isinstance(wanted, str) or wanted not in _TYPES:
            raise ValueError(
                f"`type` {str(wanted)[:64]!r} is unknown: it is one of local, stdio, http, sse, remote"
            )
        server["type"] = _TYPES[wanted]
        if wanted in ("http", "sse"):
            server.setdefault("transport", wanted)
        command = server.get("command")
        if isinstance(command, list) and command:
            server["command"], server["args"] = (
                command[0],
                [*command[1:], *(server.get("args") or [])],
            )
        return server


class SkillSource(RequestBody):
    type: Literal["github", "git", "local"] = Field(
        description="`github` (`owner/repo`), `git` (a URL), or `local` (a folder in the sandbox)."
    )
    source: str = Field(
        min_length=1,
        max_length=4096,
        description="`owner/repo`, `owner/repo/path` or `owner/repo/path@ref`; a URL of git; or a folder, relative to the directory.",
    )
    ref: str | None = Field(
        default=None, description="Branch, tag or commit. Default: the repository's own."
    )
    subpath: str | None = Field(
        default=None, description="Folder in it below which skills are looked for."
    )
    skills: list[str] | None = Field(
        default=None, description="Names of the skills that are taken. Default: all that are there."
    )

    @field_validator("source", "ref", "subpath")
    @classmethod
    def _is_plain(cls, text: str | None) -> str | None:
        return None if text is None else _text(text)

    @field_validator("type", mode="before")
    @classmethod
    def _by_any_of_its_names(cls, given: Any) -> Any:
        return (
            {"folder": "local", "path": "local"}.get(given, given)
            if isinstance(given, str)
            else given
        )


class SkillsConfig(RequestBody):
    """Skills: folders with a `SKILL.md`, and where they come from."""

    sources: list[SkillSource] = Field(max_length=64)


class McpConfigList(ResponseBody):
    """Name -> server, of one directory."""

    servers: dict[str, McpServerConfig] = Field(repr=False)


class SkillsConfigList(ResponseBody):
    """Name -> skills, of one directory."""

    skills: dict[str, SkillsConfig]


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("has a NUL character")
    return value
