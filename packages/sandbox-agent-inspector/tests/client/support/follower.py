"""A page without a page: the stores of the TypeScript client in a process, which tells what they show."""

from __future__ import annotations

import json
import threading
from queue import Queue
from typing import Any

from support.server import DEADLINE_S, ServerProcess, until

__all__ = ["Follower"]


class Follower:
    """Drives `follow.mjs`."""

    def __init__(self, node_program: Any, server: ServerProcess) -> None:
        self._process = node_program.start("follow.mjs", server.url, server.token)
        self._answers: dict[int, Queue[dict[str, Any]]] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def begin(self, what: str, **more: Any) -> int:
        """Ask, and do not wait."""
        number = len(self._answers)
        self._answers[number] = Queue()
        self._process.stdin.write(json.dumps({"number": number, "do": what, **more}) + "\n")
        self._process.stdin.flush()
        return number

    def end(self, number: int) -> dict[str, Any]:
        return self._answers[number].get(timeout=DEADLINE_S)

    def ask(self, what: str, **more: Any) -> dict[str, Any]:
        return self.end(self.begin(what, **more))

    def until(self, condition: Any, session_id: str | None = None) -> dict[str, Any]:
        """What is shown, as soon as it is so."""
        seen: dict[str, Any] = {}

        def is_so() -> bool:
            seen.update(self.ask("read", **({"id": session_id} if session_id else {})))
            return bool(condition(seen))

        try:
            until(is_so)
        except AssertionError:
            raise AssertionError(json.dumps(seen)[:4000]) from None
        return seen

    def close(self) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(DEADLINE_S)
        finally:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdout, self._process.stderr):
                pipe.close()

    def _read(self) -> None:
        for line in self._process.stdout:
            answer = json.loads(line)
            self._answers[answer.pop("to")].put(answer)
