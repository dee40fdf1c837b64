"""What a session that is open asks of Codex: turns, what goes into them, and what becomes of its past."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.jsonrpc import INVALID_REQUEST
from sandbox_agent_core.frames.operations import (
    SESSION_COMPACT,
    SESSION_NATIVE,
    SESSION_RENAME,
    SESSION_REVIEW,
    SESSION_REWIND,
    SESSION_STEER,
)
from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.codex.content import prompt_input
from sandbox_agent_server.agents.codex.history import PROMPT_MARK, STEER_MARK, Ask, turn_of_prompt
from sandbox_agent_server.agents.codex.native_requests import native_request
from sandbox_agent_server.agents.codex.output_schema import strict_schema
from sandbox_agent_server.agents.codex.review import review_target
from sandbox_agent_server.agents.codex.translate import Translator
from sandbox_agent_server.agents.codex.turns import Prompt
from sandbox_agent_server.agents.native.adapter import Answer, Handler, Request
from sandbox_agent_server.agents.native.refusals import AgentRefused, InvalidParams, Refused
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["Driving"]


class Driving:
    def __init__(
        self, ask: Ask, session: Callable[[], Translator], *, output_schema: Native | None = None
    ) -> None:
        """`session` raises Refused when there is none. `output_schema` is for prompts that have none."""
        self._ask = ask
        self._session = session
        self._output_schema = output_schema
        self._is_taken = asyncio.Event()
        """Codex has said which turn the prompt is."""
        self._is_taken.set()

    def handlers(self) -> Mapping[str, Handler]:
        return {
            acp.SESSION_PROMPT: self._prompt,
            SESSION_STEER: self._steer,
            SESSION_COMPACT: self._compact,
            SESSION_REVIEW: self._review,
            SESSION_REWIND: self._rewind,
            SESSION_RENAME: self._rename,
            SESSION_NATIVE: self._native,
        }

    # Turns

    async def _prompt(self, request: Request) -> None:
        translator = self._idle(request)
        content = prompt_input(request.params.get("prompt"))
        turn: Native = {
            "input": translator.offers.skills.called(content),
            "clientUserMessageId": f"{PROMPT_MARK}{uuid4().hex}",
        }
        schema = as_dict(request.params.get("_meta")).get("outputSchema", self._output_schema)
        if schema is not None:
            turn["outputSchema"] = strict_schema(schema)
        prompt = Prompt(request.id, is_structured=schema is not None)
        await self._run(translator, prompt, "turn/start", turn)

    async def _compact(self, request: Request) -> None:
        translator = self._idle_within(request)
        if as_text(request.params.get("instructions")) is not None:
            raise InvalidParams(
                "Codex takes no instructions for a compaction; `compactPrompt` of the session's "
                "`agentOptions` is what it always goes by"
            )
        prompt = Prompt(request.id, "compact")
        await self._run(translator, prompt, "thread/compact/start", {})

    async def _review(self, request: Request) -> None:
        translator = self._idle_within(request)
        target = review_target(request.params.get("target"))
        # What a review runs, it runs without asking.
        narrowed = translator.offers.begin_review()
        prompt = Prompt(request.id, "review")
        try:
            if narrowed is not None:
                await self._of_thread(translator, "thread/settings/update", narrowed)
            asked: Native = {"target": target, "delivery": "inline"}
            await self._run(translator, prompt, "review/start", asked)
        except Refused:
            if (settings := translator.offers.end_review()) is not None:
                await self._of_thread(translator, "thread/settings/update", settings)
            raise

    def _idle(self, request: Request) -> Translator:
        """Raises: Refused."""
        translator = self._session()
        if translator.is_prompted:
            raise Refused(INVALID_REQUEST, "a prompt is running; wait for its answer or cancel it")
        return translator

    def _idle_within(self, request: Request) -> Translator:
        """Of what would interrupt a turn that Codex has begun by itself. Raises: Refused."""
        translator = self._idle(request)
        if translator.goes_on_by_itself:
            why = "Codex is in a turn that it began by itself; wait for its end or cancel it"
            raise Refused(INVALID_REQUEST, why)
        return translator

    async def _run(
        self, translator: Translator, prompt: Prompt, method: str, params: Native
    ) -> None:
        """Raises: AgentRefused, AgentEnded."""
        translator.begin_prompt(prompt)
        self._is_taken.clear()
        try:
            translator.prompt_taken(await self._of_thread(translator, method, params))
        except AgentRefused:
            if translator.drop_prompt():
                raise
        finally:
            self._is_taken.set()

    async def _steer(self, request: Request) -> Answer:
        translator = self._session()
        content = prompt_input(request.params.get("prompt"))
        await self._is_taken.wait()
        turn_id = translator.steerable_turn
        if turn_id is None:
            raise Refused(INVALID_REQUEST, "no turn runs that it could go into")
        steer: Native = {"expectedTurnId": turn_id, "input": content}
        try:
            mark = {"clientUserMessageId": f"{STEER_MARK}{uuid4().hex}"}
            await self._of_thread(translator, "turn/steer", steer | mark)
        except AgentRefused as exc:
            raise Refused(INVALID_REQUEST, exc.message, exc.data) from exc
        return Answer({})

    # The past, and its name

    async def _rewind(self, request: Request) -> Answer:
        translator, params = self._idle_within(request), request.params
        if params.get("files") is True:
            raise InvalidParams("Codex takes back what was said, not what was written to files")
        turn_id = await turn_of_prompt(self._ask, translator.session_id, params.get("promptIndex"))
        if params.get("conversation") is True and params.get("dryRun") is not True:
            await self._of_thread(translator, "thread/revert", {"beforeTurnId": turn_id})
        return Answer({})

    async def _rename(self, request: Request) -> Answer:
        title = as_text(request.params.get("title"))
        if title is None:
            raise InvalidParams("`title` must be a text")
        await self._of_thread(self._session(), "thread/name/set", {"name": title})
        return Answer({})

    async def _native(self, request: Request) -> Answer:
        translator = self._session()
        method, params = native_request(request.params, translator)
        translator.somebody_asks()
        return Answer({"result": await self._ask(method, params)})

    async def _of_thread(self, translator: Translator, method: str, params: Native) -> Any:
        return await self._ask(method, {"threadId": translator.session_id, **params})
