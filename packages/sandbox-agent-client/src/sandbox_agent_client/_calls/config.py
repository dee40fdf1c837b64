"""`/v1/config/*`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sandbox_agent_core.api.config import (
    McpConfigList,
    McpLocalConfig,
    McpRemoteConfig,
    McpServerConfig,
    SkillsConfig,
    SkillsConfigList,
    SkillSource,
)
from sandbox_agent_core.errors import InternalError, InvalidRequest

from sandbox_agent_client._calls.call import Call, nothing, path, query, reads
from sandbox_agent_client.mcp import McpHttp, McpStdio

__all__ = [
    "AnyMcpServer",
    "AnySkills",
    "delete",
    "get_mcp",
    "get_skills",
    "list_mcp",
    "list_skills",
    "mcp_of",
    "put",
    "skills_of",
]

AnyMcpServer = McpLocalConfig | McpRemoteConfig | McpStdio | McpHttp | Mapping[str, Any]
AnySkills = (
    SkillsConfig
    | Mapping[str, Any]
    | str
    | SkillSource
    | Sequence[str | SkillSource | Mapping[str, Any]]
)

Model = TypeVar("Model", bound=BaseModel)
_NAMES = {"mcp": "mcpName", "skills": "skillName"}


def list_mcp(directory: str) -> Call[McpConfigList]:
    place = path("config", "mcp")
    parse = reads(McpConfigList, verbatim=True)
    return Call(method="GET", path=place, query=query(directory=directory), parse=parse)


def get_mcp(directory: str, name: str) -> Call[McpLocalConfig | McpRemoteConfig]:
    def parse(document: Any) -> McpLocalConfig | McpRemoteConfig:
        try:
            return McpServerConfig.model_validate(document).root
        except ValidationError as exc:
            raise InternalError("The server's answer is no MCP server.") from exc

    asked = _query("mcp", directory, name)
    return Call(method="GET", path=path("config", "mcp"), query=asked, parse=parse)


def list_skills(directory: str) -> Call[SkillsConfigList]:
    place = path("config", "skills")
    parse = reads(SkillsConfigList, verbatim=True)
    return Call(method="GET", path=place, query=query(directory=directory), parse=parse)


def get_skills(directory: str, name: str) -> Call[SkillsConfig]:
    def parse(document: Any) -> SkillsConfig:
        try:
            return SkillsConfig.model_validate(document)
        except ValidationError as exc:
            raise InternalError("The server's answer is no list of skills.") from exc

    asked = _query("skills", directory, name)
    return Call(method="GET", path=path("config", "skills"), query=asked, parse=parse)


def put(kind: str, directory: str, name: str, config: BaseModel) -> Call[None]:
    body = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    asked = _query(kind, directory, name)
    return Call(method="PUT", path=path("config", kind), query=asked, body=body, parse=nothing)


def delete(kind: str, directory: str, name: str) -> Call[None]:
    asked = _query(kind, directory, name)
    return Call(method="DELETE", path=path("config", kind), query=asked, parse=nothing)


def mcp_of(given: AnyMcpServer) -> McpServerConfig:
    """Raises: InvalidRequest: it is none; shows no value of it."""
    if isinstance(given, McpStdio):
        given = {
            "type": "local",
            "command": given.command,
            "args": list(given.args),
            "env": dict(given.env),
        }
    elif isinstance(given, McpHttp):
        given = {"type": given.type, "url": given.url, "headers": dict(given.headers)}
    elif isinstance(given, Mapping) and "type" not in given:
        # As in an `.mcp.json`.
        given = {"type": "remote" if "url" in given else "local", **given}
    document = given.model_dump(by_alias=True) if isinstance(given, BaseModel) else given
    return _read(McpServerConfig, document)


def skills_of(given: AnySkills) -> SkillsConfig:
    """Raises: InvalidRequest."""
    if isinstance(given, SkillsConfig):
        return given
    if isinstance(given, Mapping) and "sources" in given:
        return _read(SkillsConfig, given)
    each = [given] if isinstance(given, (str, SkillSource, Mapping)) else list(given)
    return _read(SkillsConfig, {"sources": [_source(one) for one in each]})


def _source(given: str | SkillSource | Mapping[str, Any]) -> Any:
    """A text is a folder, a URL of git, or a place on GitHub."""
    if isinstance(given, SkillSource):
        return given.model_dump(by_alias=True, exclude_none=True)
    if not isinstance(given, str):
        return given
    if given.startswith(("https://github.com/", "github:")):
        kind = "github"
    elif "://" in given or given.startswith("git@"):
        kind = "git"
    elif given.startswith(("/", "~", ".")) or given.count("/") == 0:
        kind = "local"
    else:
        kind = "github"
    return {"type": kind, "source": given}


def _query(kind: str, directory: str, name: str) -> dict[str, str | int]:
    return query(**{"directory": directory, _NAMES[kind]: name})


def _read(model: type[Model], document: Any) -> Model:
    try:
        return model.model_validate(document)
    except ValidationError as exc:
        faults = (error["msg"].removeprefix("Value error, ") for error in exc.errors())
        places = (".".join(map(str, error["loc"])) for error in exc.errors())
        told = "; ".join(
            f"`{at}`: {why}" if at else why for at, why in zip(places, faults, strict=True)
        )
        raise InvalidRequest(told) from None
