"""The turns of a transcript and what lies between them. An item is in its turn or, without one, after all others."""

from __future__ import annotations

from sandbox_agent_core.view.model import Item, Transcript, Turn

__all__ = ["Segments"]


class Segments:
    def __init__(self, transcript: Transcript) -> None:
        self._all = transcript.turns
        self._turns: dict[str, Turn] = {}

    def turn(self, turn_id: str | None) -> Turn:
        """The turn, made if it is new: a log that is read from its middle has turns without a start."""
        segments = self._all
        if turn_id is None:
            if not segments or segments[-1].id is not None:
                segments.append(Turn())
            return segments[-1]
        turn = self._turns.get(turn_id)
        if turn is None:
            turn = self._turns[turn_id] = Turn(id=turn_id)
            segments.append(turn)
        return turn

    def start(self, turn_id: str | None) -> Turn:
        """The turn that a prompt starts. One without an id is always a new segment."""
        if turn_id is not None:
            return self.turn(turn_id)
        self._all.append(Turn())
        return self._all[-1]

    def sort(self, turn_id: str | None) -> None:
        """The items of a turn in the order of the log. Makes no turn: a delta may go on with an item of an earlier one."""
        last = self._all[-1] if self._all and self._all[-1].id is None else None
        turn = last if turn_id is None else self._turns.get(turn_id)
        if turn is not None:
            turn.items.sort(key=lambda item: item.seq)

    def put(self, item: Item, turn_id: str | None) -> None:
        self.turn(turn_id).items.append(item)

    def put_again(self, item: Item, turn_id: str | None) -> None:
        """Give an item the place that it would have had if it came only now."""
        self._take(item)
        self.put(item, turn_id)

    def _take(self, item: Item) -> None:
        # From the end, and by identity: it was put there a moment ago.
        for position in range(len(self._all) - 1, -1, -1):
            items = self._all[position].items
            for index in range(len(items) - 1, -1, -1):
                if items[index] is item:
                    del items[index]
                    self._close_gap(position)
                    return

    def _close_gap(self, position: int) -> None:
        segment = self._all[position]
        if segment == Turn():
            del self._all[position]
