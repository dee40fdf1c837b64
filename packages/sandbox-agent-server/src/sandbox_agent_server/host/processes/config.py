"""The bounds of processes: what the settings say, and what was set since, which outlives the server."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from sandbox_agent_core.api.processes import ProcessConfig, ProcessConfigChange
from sandbox_agent_core.errors import InvalidRequest, StorageError

from sandbox_agent_server.jsonio import dumps, loads
from sandbox_agent_server.limits import HostLimits

__all__ = ["ProcessBounds"]

logger = logging.getLogger(__name__)

_FILE: Final = "config.json"
_MS: Final = 1000


class ProcessBounds:
    def __init__(self, directory: Path, limits: HostLimits) -> None:
        self._path = directory / _FILE
        self._changes = ProcessConfigChange()
        self._from_settings = ProcessConfig(
            max_concurrent_processes=limits.max_processes,
            default_run_timeout_ms=round(limits.process_run_timeout_s * _MS),
            max_run_timeout_ms=round(limits.max_process_run_timeout_s * _MS),
            max_output_bytes=limits.max_process_output_bytes,
            max_log_bytes_per_process=limits.max_process_log_bytes,
            max_input_bytes_per_request=limits.max_process_input_bytes,
        )
        self.now = self._from_settings

    def read(self) -> None:
        """What an earlier server was told. Blocks."""
        try:
            self._changes = ProcessConfigChange.model_validate(loads(self._path.read_bytes()))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as exc:
            logger.error(
                "%s cannot be read (%s): the bounds are those of the settings", self._path, exc
            )
            return
        self.now = self._with(self._changes)

    def change(self, change: ProcessConfigChange) -> None:
        """For whatever is started from now on. Blocks for a moment. Raises: InvalidRequest, StorageError."""
        changes = self._changes.model_copy(update=change.model_dump(exclude_none=True))
        wanted = self._with(changes)
        if wanted.default_run_timeout_ms > wanted.max_run_timeout_ms:
            raise InvalidRequest(
                f"`defaultRunTimeoutMs` ({wanted.default_run_timeout_ms}) must be at most `maxRunTimeoutMs` "
                f"({wanted.max_run_timeout_ms})"
            )
        part = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_bytes(dumps(changes.model_dump(by_alias=True, exclude_none=True)))
            part.replace(self._path)
        except OSError as exc:
            raise StorageError(
                f"the bounds of processes cannot be written: {exc.strerror}"
            ) from exc
        self._changes, self.now = changes, wanted

    def _with(self, changes: ProcessConfigChange) -> ProcessConfig:
        return self._from_settings.model_copy(update=changes.model_dump(exclude_none=True))
