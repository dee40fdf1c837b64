"""What a session can be asked beside prompts: to take something into its turn, to compact, to review, to go back; and
requests of the agent's own protocol. An agent that cannot is named, with what to do instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from sandbox_agent_core.api.long_work import ReviewTarget
from sandbox_agent_core.errors import (
    InvalidRequest,
    OperationNotSupported,
    PayloadTooLarge,
    Timeout,
)
from sandbox_agent_core.frames import Frame, acp, extensions, operations
from sandbox_agent_core.lenient import as_dict
from sandbox_agent_core.spi.agent import AgentDefinition
from sandbox_agent_core.spi.capabilities import AgentCapabilities

from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.agent import SessionAgent
from sandbox_agent_server.sessions.commands import command_in, common_commands, review_target
from sandbox_agent_server.sessions.conversation import Conversation
from sandbox_agent_server.sessions.turn import Turn, Work
from sandbox_agent_server.sessions.turns import Turns

__all__ = ["LongWork", "Steered"]

_OURS: Final = frozenset(
    {
        acp.INITIALIZE, acp.AUTHENTICATE, acp.SESSION_NEW, acp.SESSION_LOAD, acp.SESSION_RESUME, acp.SESSION_FORK,
        acp.SESSION_PROMPT, acp.SESSION_CANCEL, acp.SESSION_SET_MODE, acp.SESSION_SET_MODEL,
        acp.SESSION_SET_CONFIG_OPTION, "session/close", "session/delete", "logout",
    }
)  # fmt: skip
"""Requests of ACP with which the server drives the session itself."""

_INSTEAD: Final = {
    acp.SESSION_NEW: "`POST /v1/sessions`",
    acp.SESSION_LOAD: "`POST …/resume`",
    acp.SESSION_RESUME: "`POST …/resume`",
    acp.SESSION_FORK: "`POST …/fork`",
    acp.SESSION_PROMPT: "`POST …/prompt`",
    acp.SESSION_CANCEL: "`POST …/cancel`",
    acp.SESSION_SET_MODE: "`PATCH` of the session with `mode`",
    acp.SESSION_SET_MODEL: "`PATCH` of the session with `model`",
    acp.SESSION_SET_CONFIG_OPTION: "`PATCH` of the session with `configOptions`",
    "session/close": "`DELETE` of the session",
    "session/delete": "`DELETE` of the session with `purge=true`",
}
_REVIEWED: Final = {
    "uncommitted": "the uncommitted changes in this workspace (staged, unstaged and new files)",
    "branch": "the changes of the current branch against the branch `{branch}`",
    "commit": "the changes of the commit `{sha}`",
    "custom": "what follows: {instructions}",
}
_REVIEW: Final = (
    "Review {target}. Only read: change no file, and run nothing that changes one. Report what is wrong or "
    "risky, most important first, each with its file and line, why it matters and what to do about it. Say so "
    "when there is nothing to object to."
)


@dataclass(frozen=True, slots=True)
class Steered:
    how: Literal["steered", "queued", "started"]
    turn_id: str
    seq: int
    """Cursor before it."""
    position: int | None = None


class LongWork:
    def __init__(
        self,
        conversation: Conversation,
        agent: SessionAgent,
        turns: Turns,
        limits: Limits,
        tasks: TaskOwner,
        *,
        definition: AgentDefinition | None,
        check_open: Callable[[], None],
    ) -> None:
        self._conversation = conversation
        self._agent = agent
        self._turns = turns
        self._limits = limits
        self._tasks = tasks
        self._speaks_acp = definition is not None and definition.speaks_acp
        self._check_open = check_open

    @property
    def can(self) -> AgentCapabilities:
        """What the agent announced when it was last started."""
        return AgentCapabilities.read(self._conversation.state.capabilities)

    # Turns

    def compaction(self, instructions: str | None = None) -> Work:
        """Raises: OperationNotSupported."""
        if self.can.compact:
            params = {"instructions": instructions} if instructions else {}
            return Work(operations.SESSION_COMPACT, params)
        raise self.not_supported(
            "compact", "begin a new session with what matters of this one as its `context`"
        )

    def review(self, target: ReviewTarget) -> Work:
        """An agent that has no review is asked for one in words: that is what a person would do."""
        if self.can.review:
            return Work(operations.SESSION_REVIEW, {"target": _wire(target)})
        about = _REVIEWED[target.type].format(**_wire(target))
        return Work.in_words("review", _REVIEW.format(target=about))

    def work_of(self, blocks: list[dict[str, Any]]) -> Work:
        """Of a prompt: what it asks for, when that is a slash command that the server knows."""
        command = command_in(blocks)
        if command is None:
            return Work.prompt(blocks)
        if command.name == "compact":
            if self.can.compact:
                return self.compaction(command.words)
        elif self.can.review or "review" not in self._conversation.state.commands:
            return self.review(review_target(command.words))
        return Work.prompt(blocks)

    def commands(self) -> list[dict[str, Any]]:
        """Those that the server adds to the agent's own."""
        return common_commands(can_compact=self.can.compact)

    # Into the turn that runs

    async def steer(self, blocks: list[dict[str, Any]]) -> Steered:
        """Say something into the running turn. What the agent does not take becomes a prompt: it is never lost.

        Raises:
            SessionClosed, LimitReached, StorageError: it was neither taken nor accepted as a prompt.
        """
        before = self._conversation.log.last_seq
        turn = self._turns.running
        if turn is not None and self._may_be_steered(turn) and await self._takes(turn, blocks):
            return Steered("steered", turn.id, before)
        self._check_open()
        turn, position, before = self._turns.begin(Work.prompt(blocks))
        return Steered("queued" if position else "started", turn.id, before, position)

    def _may_be_steered(self, turn: Turn) -> bool:
        is_ready = self._agent.is_ready and turn.outcome is None and not turn.is_cancelling
        return is_ready and self.can.steer and turn.work.can_be_steered

    async def _takes(self, turn: Turn, blocks: list[dict[str, Any]]) -> bool:
        """Whether the agent takes it before the turn is over."""
        params = {"sessionId": self._conversation.state.agent_session_id, "prompt": blocks}
        steered = {"turnId": turn.id, "content": blocks}
        answer = self._conversation.request(
            operations.SESSION_STEER, params, answer_annotations={"steered": steered}
        )
        over = self._tasks.spawn(turn.wait(), name="steered turn")
        try:
            await asyncio.wait({answer, over}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({answer}, timeout=self._limits.steer_grace_s)
        finally:
            over.cancel()
            if not answer.done():
                answer.cancel()
        return _is_success(answer)

    # The agent's own protocol

    async def request(self, method: str, params: dict[str, Any]) -> Any:
        """As `native`, with the agent's id of the session where ACP has it. What the API has a call for is named.

        Raises: InvalidRequest, and what `native` raises.
        """
        _check_acp(method)
        if self._speaks_acp:
            await self._agent.start()
            params = {"sessionId": self._conversation.state.agent_session_id, **params}
        return await self.native(method, params)

    async def native(self, method: str, params: dict[str, Any]) -> Any:
        """What the agent answers to a request of its own protocol; one that is dormant is started.

        Raises:
            OperationNotSupported, InvalidRequest: it takes none, or the server drives that itself.
            AgentError, AgentAuthRequired: the agent's error. Timeout, PayloadTooLarge: see `limits`.
            And what the start of an agent raises.
        """
        await self._agent.start()
        is_own_protocol = self.can.native
        if self._speaks_acp:
            _check_acp(method)
        elif not is_own_protocol:
            raise self.not_supported("native", "it has no requests that reach it as they are")
        session_id = self._conversation.state.agent_session_id
        asked: tuple[str, dict[str, Any]] = (method, params)
        if is_own_protocol:
            own = {"sessionId": session_id, "method": method, "params": params}
            asked = (operations.SESSION_NATIVE, own)
        try:
            async with asyncio.timeout(self._limits.native_timeout_s):
                result = await self._conversation.ask(*asked)
        except TimeoutError:
            raise Timeout(
                f"the agent did not answer {method!r} within {self._limits.native_timeout_s:g} s; when it does, "
                "the log has it",
                limit="native_timeout_s",
            ) from None
        result = as_dict(result).get("result") if is_own_protocol else result
        if (size := len(dumps(result))) > self._limits.max_native_bytes:
            raise PayloadTooLarge(
                f"the answer to {method!r} has {size} bytes; the log has it",
                limit="max_native_bytes",
                value=self._limits.max_native_bytes,
            )
        return result

    def not_supported(self, operation: str, instead: str) -> OperationNotSupported:
        agent = self._conversation.state.settings.agent
        return OperationNotSupported(
            f"agent {agent!r} does not support `{operation}`: {instead}",
            agent=agent,
            operation=operation,
        )


def _check_acp(method: str) -> None:
    """Raises: InvalidRequest."""
    if method in _OURS or method.startswith(extensions.PREFIX):
        instead = _INSTEAD.get(method, "the operation of the API for it")
        raise InvalidRequest(
            f"{method!r} is for the server to ask, which would lose track of the session, and of what it allows: use "
            f"{instead}"
        )


def _is_success(answer: asyncio.Future[Frame]) -> bool:
    if answer.cancelled():
        return False
    # An error of the future itself is the end of the agent.
    return answer.exception() is None and "error" not in answer.result()


def _wire(target: ReviewTarget) -> dict[str, Any]:
    return target.model_dump(exclude_none=True)
