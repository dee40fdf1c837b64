"""The built-in provider: the server as a process of this machine. Needs no account and no container."""

from sandbox_agent_client.local.command import server_command
from sandbox_agent_client.local.provider import LocalProvider

__all__ = ["LocalProvider", "server_command"]
