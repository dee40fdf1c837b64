# Generated from `_async/installation.py` by `scripts/unasync.py`: do not edit.
"""The installation of an agent that a session waits for, told while the request for the session is under way."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from sandbox_agent_core.api.agents import InstallProgress
from sandbox_agent_core.errors import SandboxAgentError

from sandbox_agent_client._callbacks import check_callback
from sandbox_agent_client._calls import agents as agent_calls
from sandbox_agent_client._calls import sessions as calls
from sandbox_agent_client._installing import InstallLines
from sandbox_agent_client._sync._backend import CALLBACKS_MAY_BE_ASYNC, Background, Event, settle
from sandbox_agent_client._sync.transport import Transport

__all__ = ["InstallationWatch", "OnInstall"]

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
"""Also before the first look: a session whose agent is there has usually begun by then."""

OnInstall = Callable[[InstallProgress], object]


class InstallationWatch:
    """Looks, as long as its block lasts, and only tells: whoever began the installation, it goes on without this."""

    def __init__(
        self,
        transport: Transport,
        *,
        agent: str | None = None,
        session_id: str | None = None,
        on_install: OnInstall | None = None,
        report: Callable[[str], Any] | None = None,
    ) -> None:
        """Of that agent, or of that of a session. `report` is told lines, where nobody takes it with `on_install`.

        Raises: TypeError.
        """
        if on_install is not None:
            check_callback(
                on_install,
                "on_install",
                argument="the progress",
                may_be_async=CALLBACKS_MAY_BE_ASYNC,
            )
        self._transport = transport
        self._agent = agent
        self._session_id = session_id
        self._on_install = on_install
        self._report = report
        self._lines = InstallLines()
        self._told: InstallProgress | None = None
        self._began_at = time.monotonic()
        self._is_over = Event()

    def __enter__(self) -> Self:
        self._background = Background("watch the installation of an agent", self._run)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._background.stop()

    def _run(self) -> None:
        while not self._is_over.wait(LOOK_EVERY_S):
            try:
                progress = self._look()
            except SandboxAgentError as exc:
                if not exc.retryable:
                    # A server that does not tell, or a session that is not there: the request itself says that.
                    logger.debug("the installation of the agent is not watched: %s", exc.message)
                    return
            else:
                if progress is not None and progress != self._told and not self._is_over.is_set():
                    self._told = progress
                    self._tell(progress)

    def _look(self) -> InstallProgress | None:
        if self._agent is None:
            assert self._session_id is not None
            info = self._transport.call(calls.get(self._session_id), wakes=False)
            self._agent = info.agent
        status = self._transport.call(agent_calls.install_status(self._agent), wakes=False)
        return status.progress

    def _tell(self, progress: InstallProgress) -> None:
        line = self._lines.line(progress)
        if line is not None:
            logger.info("%s", line)
        if self._on_install is not None:
            settle(self._on_install(progress))
        elif line is not None and self._report is not None:
            self._report(f"[{time.monotonic() - self._began_at:.1f} s] {line}")
