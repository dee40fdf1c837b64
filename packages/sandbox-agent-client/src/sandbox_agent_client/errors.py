"""Every error that this package raises. They are in `sandbox_agent_client` itself, too."""

from sandbox_agent_core.errors import *  # noqa: F403 - its `__all__` is the one list
from sandbox_agent_core.errors import __all__ as __all__
