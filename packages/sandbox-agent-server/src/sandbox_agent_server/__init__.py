"""The server that runs inside the sandbox: it hosts agents and keeps their logs."""

from importlib.metadata import version as _version

__version__ = _version("sandbox-agent-server")

__all__ = ["__version__"]
