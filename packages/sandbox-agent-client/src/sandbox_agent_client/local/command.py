"""How the server is run on this machine."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from sandbox_agent_core.errors import ProviderNotInstalled

__all__ = ["server_command"]


def server_command() -> list[str]:
    """Raises: ProviderNotInstalled when it is not installed."""
    beside = Path(sys.executable).parent / "sandbox-agent-server"
    if beside.is_file():
        return [str(beside)]
    on_path = shutil.which("sandbox-agent-server")
    if on_path is not None:
        return [on_path]
    if find_spec("sandbox_agent_server") is not None:
        return [sys.executable, "-m", "sandbox_agent_server"]
    raise ProviderNotInstalled(
        "The local sandbox needs the server. Run `pip install sandbox-agent-server`.",
        provider="local",
    )
