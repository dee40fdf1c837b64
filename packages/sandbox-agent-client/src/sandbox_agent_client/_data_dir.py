"""Where this user's sandbox-agent data live."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["data_dir"]

DATA_VARIABLE = "SANDBOX_AGENT_DATA_DIR"


def data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """`$SANDBOX_AGENT_DATA_DIR`, else `$XDG_DATA_HOME/sandbox-agent`, else `~/.local/share/sandbox-agent`."""
    if given := environ.get(DATA_VARIABLE):
        return Path(given).expanduser().absolute()
    base = environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser().absolute() / "sandbox-agent"
