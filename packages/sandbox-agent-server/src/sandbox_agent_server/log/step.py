"""One step of a session: everything that one decision, or one batch of an agent, adds to its log."""

from __future__ import annotations

from collections.abc import Callable

from sandbox_agent_server.log.entry import Draft

__all__ = ["Step"]


class Step:
    """Made for `SessionLog.next_seq` and `SessionLog.now_ms`, filled, and given to `SessionLog.append`: written whole or not at all.

    Nothing is awaited in between, so the seqs that it foresees are the ones that its entries get.
    """

    __slots__ = ("_after", "drafts", "ends_turn", "first_seq", "is_end", "time_ms")

    def __init__(self, first_seq: int, time_ms: int = 0) -> None:
        self.first_seq = first_seq
        self.time_ms = time_ms
        self.drafts: list[Draft] = []
        self.ends_turn = False
        """What is worth a place on the disk at once, where a power cut counts."""
        self.is_end = False
        """It only says how what is in the log already ended: no work, so no quota refuses it."""
        self._after: list[Callable[[], None]] = []

    @property
    def next_seq(self) -> int:
        """The seq of the entry that is appended next."""
        return self.first_seq + len(self.drafts)

    def append(self, draft: Draft) -> None:
        self.drafts.append(draft)

    def after_commit(self, act: Callable[[], None]) -> None:
        """Do it once the step is written and shown; never when it could not be written."""
        self._after.append(act)

    def commit(self) -> None:
        """It is written and shown: do what was to be done after that."""
        # Let go of at once: what is to be done mostly knows the step, and a cycle of megabytes would wait for
        # the garbage collector.
        acts, self._after = self._after, []
        for act in acts:
            act()
