# Generated from `_async/config.py` by `scripts/unasync.py`: do not edit.
"""What a directory of the sandbox is configured with, for all sessions in it."""

from __future__ import annotations

from os import PathLike, fspath

from sandbox_agent_core.api.config import McpLocalConfig, McpRemoteConfig, SkillsConfig

from sandbox_agent_client._calls import config as calls
from sandbox_agent_client._calls.config import AnyMcpServer, AnySkills
from sandbox_agent_client._directories import directory as directory_of
from sandbox_agent_client._sync.connection import Connection

__all__ = ["Config", "McpConfig", "SkillConfig"]


class Config:
    """`client.config`: MCP servers and skills of directories. Sessions that begin in such a directory, or below it in
    the same repository, get them."""

    mcp: McpConfig
    skills: SkillConfig

    def __init__(self, connection: Connection) -> None:
        self.mcp = McpConfig(connection)
        self.skills = SkillConfig(connection)


class McpConfig:
    """MCP servers of directories, in their `.sandbox-agent/config/mcp.json`.

    `directory` is in the sandbox; a relative one is in the server's own. Raises `PathNotFound`, `NotADirectory` and
    `PathForbidden` for it, and `ConfigDamaged` for a file there that cannot be read.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, directory: str | PathLike[str]) -> dict[str, McpLocalConfig | McpRemoteConfig]:
        """Name -> server."""
        found = self._connection.call(calls.list_mcp(self._at(directory)))
        return {name: server.root for name, server in found.servers.items()}

    def get(self, directory: str | PathLike[str], name: str) -> McpLocalConfig | McpRemoteConfig:
        """Raises: ConfigNotFound."""
        return self._connection.call(calls.get_mcp(self._at(directory), name))

    def set(self, directory: str | PathLike[str], name: str, server: AnyMcpServer) -> None:
        """Make or replace it: a `McpLocalConfig`, `McpRemoteConfig`, `McpStdio`, `McpHttp`, or a dictionary.

        `${NAME}` in a value of `env` or `headers`, and `bearer_token_env_var`, are filled in from the environment of
        the session's agent, so that no key need be in the file.

        Raises:
            InvalidRequest: it is no MCP server.
        """
        made = calls.mcp_of(server)
        self._connection.call(calls.put("mcp", self._at(directory), name, made))

    def delete(self, directory: str | PathLike[str], name: str) -> None:
        """One that is not there is none afterwards."""
        self._connection.call(calls.delete("mcp", self._at(directory), name))

    def _at(self, directory: str | PathLike[str]) -> str:
        return _place(self._connection, directory)


class SkillConfig:
    """Skills of directories, in their `.sandbox-agent/config/skills.json`. `directory` as that of `McpConfig`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, directory: str | PathLike[str]) -> dict[str, SkillsConfig]:
        """Name -> where they come from."""
        found = self._connection.call(calls.list_skills(self._at(directory)))
        return found.skills

    def get(self, directory: str | PathLike[str], name: str) -> SkillsConfig:
        """Raises: ConfigNotFound."""
        return self._connection.call(calls.get_skills(self._at(directory), name))

    def set(self, directory: str | PathLike[str], name: str, skills: AnySkills) -> None:
        """Make or replace them: a source or several, each a folder (`./skills`), a place on GitHub (`owner/repo`,
        `owner/repo/path@ref`), a URL of git, a `SkillSource` or a dictionary.

        Raises:
            InvalidRequest: a source is none.
        """
        made = calls.skills_of(skills)
        self._connection.call(calls.put("skills", self._at(directory), name, made))

    def delete(self, directory: str | PathLike[str], name: str) -> None:
        """Those that are not there are none afterwards."""
        self._connection.call(calls.delete("skills", self._at(directory), name))

    def _at(self, directory: str | PathLike[str]) -> str:
        return _place(self._connection, directory)


def _place(connection: Connection, directory: str | PathLike[str]) -> str:
    """In a local sandbox from here; elsewhere the server knows what a relative one and `~` are."""
    if connection.is_local:
        return directory_of(directory, is_local=True)
    return fspath(directory)
