"""What each turn has done to the files: their tree before it, their tree after it, and what differs.

An observer of steps. A prompt that is in the log is held back on its way to the agent until the tree before it is
known, for a moment at most; everything else happens beside the turns.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox_agent_core.api.git import SessionDiff
from sandbox_agent_core.changes import ChangedFile, ChangeTotals
from sandbox_agent_core.errors import (
    GitFailed,
    GitNotInstalled,
    LimitReached,
    SandboxAgentError,
    StorageError,
    Timeout,
)
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.lenient import as_dict, as_str, dicts_in

from sandbox_agent_server.host.git.changes import changed_files, patch
from sandbox_agent_server.host.git.trees import WorkTree
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.conversation import Conversation
from sandbox_agent_server.sessions.fold import SessionStep
from sandbox_agent_server.sessions.turn_lookup import entries_with, look_up_turn

__all__ = ["FindWorkTree", "TurnDiffs"]

logger = logging.getLogger(__name__)

FindWorkTree = Callable[[Path, Path], WorkTree | None]
"""Of a directory, and where ours is kept; None when there is nothing in it, and no repository. Blocks."""

_SLOW: Final = "slow"
_MARK: Final = b'"method":"%b"' % extensions.TURN_DIFF.encode()


@dataclass(slots=True)
class _Before:
    """The files before a turn."""

    tree: asyncio.Task[str | None]
    is_late: bool = False
    """The prompt was let go before they were known."""


class _Skip(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = self.message = (
            detail  # `message`: whose task it ends need not tell of it with a traceback
        )


class TurnDiffs:
    def __init__(
        self,
        conversation: Conversation,
        limits: Limits,
        tasks: TaskOwner,
        *,
        find: FindWorkTree,
        in_use: Callable[[], AbstractContextManager[object]],
        shown: Callable[[Any], Any],
        is_on: bool,
    ) -> None:
        """`shown`: a value of JSON as it may be seen. `in_use`: around work that goes on when the turn has ended. `is_on`: else only what was told is told again."""
        self._conversation = conversation
        self._limits = limits
        self._tasks = tasks
        self._find = find
        self._in_use = in_use
        self._shown = shown
        self._store = conversation.log.file.path.parent / "files"
        self._work_tree: WorkTree | None = None
        self._at_work = asyncio.Lock()
        self._before: dict[str, _Before] = {}
        self._open: tuple[str | None, str | None] = (None, None)
        """As the state has them: the turn of a prompt, and the agent's own."""
        self._given_up: _Skip | None = None
        self._is_slow = False
        """The last reading took longer than a prompt may be held for."""
        self._ends: set[asyncio.Task[None]] = set()
        if is_on:
            conversation.observers.append(self._look)

    @property
    def is_busy(self) -> bool:
        return bool(self._ends)

    async def settle(self, patience_s: float) -> None:
        """Wait for what is still being compared."""
        if self._ends:
            await asyncio.wait(self._ends, timeout=patience_s)

    def _look(self, step: SessionStep) -> None:
        state = step.state
        turns = (state.turn_id, state.own_turn_id)
        if turns == self._open:
            return
        self._open = turns
        for turn_id in turns:
            if turn_id is not None and turn_id not in self._before:
                self._begin(turn_id, may_hold=turn_id == state.turn_id)
        for turn_id in self._before.keys() - set(turns):
            task = self._tasks.spawn(self._end(turn_id, self._before.pop(turn_id)), name="diff")
            self._ends.add(task)
            task.add_done_callback(self._ends.discard)

    def _begin(self, turn_id: str, *, may_hold: bool) -> None:
        before = _Before(self._tasks.spawn(self._tree(), name="files before"))
        # Whoever needs it asks for it.
        before.tree.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._before[turn_id] = before
        if may_hold and self._is_slow:
            before.is_late = True  # no prompt waits in vain twice
        elif may_hold and self._given_up is None:
            # The agent must not change them while they are read. What it began by itself nobody can hold back.
            self._conversation.hold()
            self._tasks.spawn(self._release(before), name="hold")

    async def _release(self, before: _Before) -> None:
        try:
            done, _ = await asyncio.wait([before.tree], timeout=self._limits.turn_diff_hold_s)
            before.is_late = not done
        finally:
            self._conversation.release()

    async def _tree(self) -> str | None:
        """None: there was nothing yet."""
        if self._given_up is not None:
            raise self._given_up
        async with self._at_work:
            begun = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(self._limits.turn_diff_timeout_s):
                    work_tree = await self._found_work_tree()
                    return None if work_tree is None else await work_tree.tree()
            except (TimeoutError, Timeout) as exc:
                raise self._give_up(_SLOW, "the files could not be read in time") from exc
            except LimitReached as exc:
                raise self._give_up("too_much", exc.message) from exc
            except GitNotInstalled as exc:
                raise self._give_up("no_git", exc.message) from exc
            except (SandboxAgentError, OSError) as exc:
                raise _Skip("failed", getattr(exc, "message", str(exc))) from exc
            finally:
                took = asyncio.get_running_loop().time() - begun
                self._is_slow = took > self._limits.turn_diff_hold_s

    def _give_up(self, reason: str, detail: str) -> _Skip:
        """It would be no different at the next turn, and hold that up."""
        self._given_up = _Skip(reason, detail)
        return self._given_up

    async def _end(self, turn_id: str, before: _Before) -> None:
        with self._in_use():
            try:
                found = await self._found(before)
                if found is not None:
                    seen = await asyncio.to_thread(self._shown, found)
                    told = (extensions.TURN_DIFF, {"turnId": turn_id, **seen})
                    self._conversation.state_entries(told)
            except StorageError as exc:
                logger.error(
                    "session %s: what turn %s has changed cannot be written: %s",
                    self._conversation.log.session_id, turn_id, exc.message,
                )  # fmt: skip
            finally:
                task = asyncio.current_task()
                self._ends -= {one for one in self._ends if one is task}

    async def _found(self, before: _Before) -> dict[str, Any] | None:
        try:
            return await self._compared(before)
        except _Skip as exc:
            return {"skipped": exc.reason, "detail": exc.detail}
        except SandboxAgentError as exc:
            return {"skipped": "failed", "detail": exc.message}

    async def _compared(self, before: _Before) -> dict[str, Any] | None:
        """The data of the event; None when nothing has changed. Raises: _Skip."""
        # Also when the one before is of no use: it is the one before the next turn that finds all read already.
        old = await before.tree
        if before.is_late:
            raise _Skip(
                _SLOW,
                f"the files were not read within {self._limits.turn_diff_hold_s:g} s of the prompt, and the agent had "
                "begun; once they are read in time again, a turn tells of them",
            )
        new = await self._tree()
        if new is None or new == old:
            return None
        work_tree = self._work_tree
        assert work_tree is not None
        async with self._at_work:
            old = await work_tree.empty_tree() if old is None else old
            if new == old:
                return None
            changes = await changed_files(
                work_tree, old, new, max_files=self._limits.max_turn_diff_files
            )
            text = await patch(work_tree, old, new, max_bytes=self._limits.max_turn_diff_bytes)
        return {
            "path": str(work_tree.path),
            "files": [file.to_wire() for file in changes.files],
            "totals": changes.totals.to_wire(),
            "patch": text.text,
            "truncated": changes.truncated or text.truncated,
            "before": old,
            "after": new,
        }

    # Afterwards

    async def diff(self, turn_id: str | None) -> SessionDiff:
        """Of one turn, or from before the first to after the last.

        Raises: TurnNotFound, StorageError. GitFailed: what the files were is not there any more.
        """
        await self.settle(self._limits.turn_diff_timeout_s)
        log = self._conversation.log
        if turn_id is not None:
            await look_up_turn(log, turn_id)
        told = [
            data
            for data in await asyncio.to_thread(_told, log)
            if turn_id in (None, data.get("turnId"))
        ]
        skips = [data.get("detail") for data in told if "skipped" in data]
        changed = [data for data in told if "skipped" not in data]
        found = SessionDiff(skipped=as_str(skips[-1]) if skips else None)
        if not changed:
            return found
        first, last = changed[0], changed[-1]
        found.path = as_str(last.get("path"))
        found.turn_ids = [str(data.get("turnId")) for data in changed]
        if first is last and first.get("truncated") is not True:
            return _as_told(found, first)
        try:
            return await self._anew(found, str(first.get("before")), str(last.get("after")))
        except SandboxAgentError as exc:
            # The agent may have pruned what a tree was made of.
            if first is not last:
                raise
            logger.warning("session %s: %s", log.session_id, exc.message)
            return _as_told(found, first)

    async def _anew(self, found: SessionDiff, old: str, new: str) -> SessionDiff:
        limits = self._limits
        async with self._at_work:
            work_tree = await self._found_work_tree()
            if work_tree is None or not await work_tree.has(old, new):
                raise GitFailed(
                    "the files as they were before and after these turns are not kept any more; ask for each turn"
                )
            changes = await changed_files(work_tree, old, new, max_files=limits.max_diff_files)
            text = await patch(work_tree, old, new, max_bytes=limits.max_diff_bytes)
        return found.model_copy(
            update={
                "files": changes.files,
                "totals": changes.totals,
                "patch": await asyncio.to_thread(self._shown, text.text),
                "truncated": changes.truncated or text.truncated,
            }
        )

    async def _found_work_tree(self) -> WorkTree | None:
        if self._work_tree is None:
            cwd = Path(self._conversation.state.settings.cwd)
            self._work_tree = await asyncio.to_thread(self._find, cwd, self._store)
        return self._work_tree


def _told(log: SessionLog) -> list[dict[str, Any]]:
    """What was logged, in order. Blocks. Raises: StorageError."""
    return [
        as_dict(entry.payload.get("params"))
        for entry in entries_with(log, [_MARK])
        if entry.method == extensions.TURN_DIFF
    ]


def _as_told(found: SessionDiff, data: Mapping[str, Any]) -> SessionDiff:
    return found.model_copy(
        update={
            "files": [ChangedFile.model_validate(one) for one in dicts_in(data.get("files"))],
            "totals": ChangeTotals.model_validate(as_dict(data.get("totals"))),
            "patch": as_str(data.get("patch")) or "",
            "truncated": data.get("truncated") is True,
        }
    )
