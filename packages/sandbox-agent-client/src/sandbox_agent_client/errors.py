"""Everything that this package raises: `except errors.SandboxAgentError` catches it all."""

from sandbox_agent_core import errors
from sandbox_agent_core.errors import *  # noqa: F403 - its `__all__` is the one list

__all__: list[str] = []
__all__ += errors.__all__
