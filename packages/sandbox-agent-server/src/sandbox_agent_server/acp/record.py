"""What is kept of an ACP client beside what it was told: so that it finds its sessions again after a restart."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, Field, ValidationError

__all__ = ["AcpRecord", "load_records"]

logger = logging.getLogger(__name__)

_NAME: Final = "connection.json"


class AcpRecord(BaseModel):
    server_id: str
    """Chosen by the client: any text, of any length."""
    folder: str
    """In which it is kept. One of its own, because a client that is being forgotten may come again meanwhile."""
    agent: str
    created_ms: int
    is_at_work: bool = False
    """It said something since the server started. After a crash it may not have heard everything."""
    hello: dict[str, Any] | None = None
    """Params of its `initialize`. Of `authenticate` nothing is kept: those may be secrets."""
    sessions: dict[str, str] = Field(default_factory=dict)
    """What the client calls a session -> the session of the server."""

    def save(self, directory: Path) -> None:
        """Never raises: without it the client has to open its sessions again after a restart."""
        part = directory / f"{_NAME}.part"
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.touch(mode=0o600)
            part.write_bytes(self.model_dump_json().encode())
            part.replace(directory / _NAME)
        except OSError as exc:
            logger.error("acp %s: cannot be kept: %s", self.server_id, exc)
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


def load_records(root: Path) -> list[AcpRecord]:
    """Those of an earlier server. What cannot be read is left out, and said in the log."""
    records = []
    for path in sorted(root.glob(f"*/{_NAME}")):
        try:
            records.append(AcpRecord.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError) as exc:
            logger.error("%s cannot be read: %s", path, exc)
    return records
