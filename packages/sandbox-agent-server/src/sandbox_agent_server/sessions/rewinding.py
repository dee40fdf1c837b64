"""Back to before a turn: the agent forgets it and what came after, and its files are put back."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from sandbox_agent_core.api.long_work import RewindRequest, RewindResult
from sandbox_agent_core.errors import Conflict, InvalidRequest
from sandbox_agent_core.frames import extensions, operations
from sandbox_agent_core.lenient import as_dict, as_list, compact

from sandbox_agent_server.sessions.agent import SessionAgent
from sandbox_agent_server.sessions.conversation import Conversation
from sandbox_agent_server.sessions.long_work import LongWork
from sandbox_agent_server.sessions.prompts import SessionPrompts, prompts_of
from sandbox_agent_server.sessions.recovery import entries_after
from sandbox_agent_server.sessions.turns import Turns

__all__ = ["Rewinding"]

_How = Literal["native", "transcript"]


class Rewinding:
    def __init__(
        self, conversation: Conversation, agent: SessionAgent, turns: Turns, long_work: LongWork
    ) -> None:
        self._conversation = conversation
        self._agent = agent
        self._turns = turns
        self._long_work = long_work

    async def rewind(self, wanted: RewindRequest) -> RewindResult:
        """Go back, or say what would come of it. Prompts that come meanwhile wait.

        An agent that cannot forget by itself begins anew, and is given what was before as text.

        Raises:
            Conflict: a turn or a background task runs, or the agent does not know the turn any more.
            InvalidRequest: there is no such turn. OperationNotSupported: the agent cannot put files back.
            And what the start of an agent and its requests raise.
        """
        self._check_rest()
        with self._turns.paused():
            prompts = await self._prompts()
            turn_id = wanted.turn_id or prompts.last
            if turn_id is None:
                raise InvalidRequest("there is no prompt that the session could go back to before")
            prompts.check(turn_id)
            how = self._how(wanted, prompts, turn_id)
            changed = None
            if wanted.files or how == "native":
                changed = await self._ask(wanted, prompts.known(turn_id), how)
            result = RewindResult(
                before_turn_id=turn_id,
                turn_ids=prompts.since(turn_id),
                files=wanted.files,
                conversation=wanted.conversation,
                how=how,
                files_changed=changed,
                dry_run=wanted.dry_run,
            )
            if not wanted.dry_run:
                await self._record(result)
            return result

    def _check_rest(self) -> None:
        if not self._turns.is_idle or self._conversation.state.tasks:
            raise Conflict(
                "the agent is at work; wait for its turns and background tasks to end, or cancel them first"
            )

    def _how(self, wanted: RewindRequest, prompts: SessionPrompts, turn_id: str) -> _How | None:
        can = self._long_work.can
        if wanted.files and not can.rewind_files:
            raise self._long_work.not_supported(
                "rewind",
                "it cannot put files back; with `files` false the conversation alone goes back",
            )
        if not wanted.conversation:
            return None
        is_known = prompts.index_of(turn_id) is not None
        return "native" if can.rewind_conversation and is_known else "transcript"

    async def _prompts(self) -> SessionPrompts:
        entries = entries_after(self._conversation.log, 0)
        return await asyncio.to_thread(prompts_of, entries)

    async def _ask(self, wanted: RewindRequest, index: int, how: _How | None) -> list[str] | None:
        await self._agent.start()
        params: dict[str, Any] = {
            "sessionId": self._conversation.state.agent_session_id,
            "promptIndex": index,
            "files": wanted.files,
            "conversation": how == "native",
            "dryRun": wanted.dry_run,
        }
        answer = as_dict(await self._conversation.ask(operations.SESSION_REWIND, params))
        if "filesChanged" not in answer:
            return None
        return [path for path in as_list(answer["filesChanged"]) if isinstance(path, str)]

    async def _record(self, result: RewindResult) -> None:
        if result.how == "transcript":
            await self._agent.stop()
        params = compact(
            beforeTurnId=result.before_turn_id,
            turnIds=result.turn_ids,
            conversation=result.conversation,
            how=result.how,
            files=result.files,
            filesChanged=result.files_changed,
        )
        self._conversation.state_entries((extensions.SESSION_REWOUND, params))
