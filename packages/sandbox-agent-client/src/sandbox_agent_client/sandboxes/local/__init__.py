"""The built-in provider: the server as a process of this machine. Needs no account and no container."""

from sandbox_agent_client.sandboxes.local.provider import LocalProvider
from sandbox_agent_client.sandboxes.local.server import server_command

__all__ = ["LocalProvider", "server_command"]
