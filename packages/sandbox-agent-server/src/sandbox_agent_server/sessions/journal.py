"""What may be written, and what happens when it cannot be: callers are refused, agents are held back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sandbox_agent_core.errors import StorageError

from sandbox_agent_server.sessions.desk import RequestChange
from sandbox_agent_server.sessions.feed import SessionLog
from sandbox_agent_server.store import Draft

__all__ = ["RETRY_EVERY_S", "Journal"]

logger = logging.getLogger(__name__)

RETRY_EVERY_S = 0.5


class Journal:
    """Commits the steps of one session. While a batch of its agent waits for the disk, nothing else gets
    in: the log would not be in the order in which things happened."""

    def __init__(
        self,
        session_id: str,
        log: SessionLog,
        *,
        retry_s: float,
        refresh_state: Callable[[], None],
    ) -> None:
        self._session_id = session_id
        self._log = log
        self._retry_s = retry_s
        self._refresh_state = refresh_state
        self._is_stalled = False
        self.is_closing = False
        """True gives up waiting for the disk."""

    def check_writable(self) -> None:
        """Raises: StorageError."""
        if self._is_stalled:
            raise StorageError(
                "the log cannot be written at the moment; free disk space and try again"
            )

    def append(
        self,
        drafts: list[Draft],
        *,
        save_row: bool = False,
        changes: list[RequestChange] | None = None,
    ) -> None:
        """One step, committed with the session's state when `save_row`. Raises: StorageError."""
        self.check_writable()
        self._commit(drafts, save_row, changes or [])

    async def append_patiently(
        self, drafts: list[Draft], *, save_row: bool, changes: list[RequestChange]
    ) -> None:
        """For what an agent wrote: wait, and so hold the agent back, until it can be stored.

        Raises:
            StorageError: it could not for `retry_s`.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._retry_s
        try:
            while True:
                try:
                    self._commit(drafts, save_row, changes)
                except StorageError as exc:
                    if not self._is_stalled:
                        logger.error("session %s: %s", self._session_id, exc.message)
                    if clock() >= deadline or self.is_closing:
                        raise
                    self._is_stalled = True
                    await asyncio.sleep(RETRY_EVERY_S)
                else:
                    return
        finally:
            self._is_stalled = False

    def _commit(self, drafts: list[Draft], save_row: bool, changes: list[RequestChange]) -> None:
        if save_row:
            self._refresh_state()
        if drafts or save_row or changes:
            self._log.append(drafts, save_row=save_row, requests=changes)
