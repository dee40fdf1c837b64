"""What the mock agent does beside its turns: commands in the background, and turns of its own when they end."""

from __future__ import annotations

import asyncio
from typing import Any

from sandbox_agent_core.frames import Frame, acp, extensions
from sandbox_agent_core.frames.jsonrpc import notification

from sandbox_agent_server.agents.mock.outbox import Outbox
from sandbox_agent_server.agents.mock.telling import END, tool_done, tool_started
from sandbox_agent_server.agents.mock.turn import Turn, message

__all__ = ["Background", "background"]


class Background:
    """Of one session."""

    def __init__(self, session_id: str, outbox: Outbox) -> None:
        self._session_id = session_id
        self._outbox = outbox
        self._commands: dict[str, asyncio.Task[None]] = {}
        self._own_turn: asyncio.Task[None] | None = None

    def begin(self, task_id: str, *, call_id: str, title: str, seconds: float) -> None:
        started = {"taskId": task_id, "kind": "shell", "title": title, "toolCallId": call_id}
        self._say(extensions.TASK_STARTED, started)
        self._commands[task_id] = asyncio.create_task(asyncio.sleep(seconds), name=task_id)
        self._commands[task_id].add_done_callback(lambda task: self._ended(task_id, task))

    def stop(self, task_id: object) -> None:
        if (command := self._commands.get(str(task_id))) is not None:
            command.cancel()

    def cancel(self) -> None:
        """The turn that it began by itself."""
        if self._own_turn is not None:
            self._own_turn.cancel()

    async def close(self) -> None:
        running = [*self._commands.values(), *filter(None, [self._own_turn])]
        self._commands.clear()
        self._own_turn = None
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task_id: str, task: asyncio.Task[None]) -> None:
        if self._commands.pop(task_id, None) is None:
            return  # the agent is closed
        status = "stopped" if task.cancelled() else "completed"
        self._say(extensions.TASK_ENDED, {"taskId": task_id, "status": status})
        if status == "completed" and self._own_turn is None:
            self._own_turn = asyncio.create_task(self._go_on(task_id), name=f"after {task_id}")
            self._own_turn.add_done_callback(self._went_on)

    async def _go_on(self, task_id: str) -> None:
        self._say(extensions.TURN_STARTED, {"taskId": task_id})
        for word in ("The command", " in the background", " is done."):
            await self._outbox.put([self._update(message(word))])

    def _went_on(self, task: asyncio.Task[None]) -> None:
        if self._own_turn is not task:
            return  # the agent is closed
        self._own_turn = None
        reason = "cancelled" if task.cancelled() else END
        usage = {"inputTokens": 100, "outputTokens": 20, "totalTokens": 120}
        self._say(extensions.TURN_ENDED, {"stopReason": reason, "usage": usage})

    def _say(self, method: str, fields: dict[str, Any]) -> None:
        self._outbox.put_now(notification(method, {"sessionId": self._session_id, **fields}))

    def _update(self, update: dict[str, Any]) -> Frame:
        return notification(acp.SESSION_UPDATE, {"sessionId": self._session_id, "update": update})


async def background(turn: Turn, words: list[str]) -> str:
    seconds = float(words[0]) if words else 1.0
    id, title = turn.new_call_id(), f"sleep {seconds:g}"
    await turn.send(tool_started(id, title, "execute", {"command": title}))
    turn.begin_in_background(f"task-{id}", call_id=id, title=title, seconds=seconds)
    await turn.send(tool_done(id, "It runs in the background.\n"))
    await turn.say("I will look at it when it is done.")
    return END
