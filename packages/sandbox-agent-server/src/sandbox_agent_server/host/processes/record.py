"""What is kept of a process on the disk, so that it can be looked at when the server has started again."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from sandbox_agent_core.api.processes import ProcessInfo

from sandbox_agent_server.jsonio import dumps, loads

__all__ = ["read_record", "write_record"]

logger = logging.getLogger(__name__)

_FILE: Final = "process.json"


def write_record(directory: Path, info: ProcessInfo) -> None:
    """All of it or nothing. Raises: OSError."""
    part = directory / f"{_FILE}.part"
    part.write_bytes(dumps(info.model_dump(by_alias=True, exclude_none=True, mode="json")))
    part.chmod(0o600)
    part.replace(directory / _FILE)


def read_record(directory: Path) -> ProcessInfo | None:
    """None for one that is not there or damaged."""
    try:
        return ProcessInfo.model_validate(loads((directory / _FILE).read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError) as exc:
        logger.warning("what is kept in %s cannot be read: %s", directory, exc)
        return None
