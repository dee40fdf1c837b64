"""`Idempotency-Key`: a request that comes again is not carried out again, but gets the first answer again."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from pydantic import BaseModel
from sandbox_agent_core.errors import (
    IdempotencyKeyReused,
    InvalidRequest,
    OutcomeUnknown,
    SandboxAgentError,
    StorageError,
)
from sandbox_agent_core.lenient import as_dict, as_str
from sandbox_agent_core.wire.problem import CONTENT_TYPE
from starlette.requests import Request
from starlette.responses import Response

from sandbox_agent_server.http.callers import caller_of
from sandbox_agent_server.http.errors import problem_response
from sandbox_agent_server.jsonio import dumps, loads
from sandbox_agent_server.store.replies import KeptReplies, Reply

__all__ = ["HEADER", "MAX_KEY_CHARS", "REPLAYED", "OnceOnly", "Work"]

logger = logging.getLogger(__name__)

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
MAX_KEY_CHARS: Final = 255
_FIRST_ERROR: Final = 400

Work = Callable[[Callable[[], None]], Awaitable[Response]]
"""Carries the request out. From the call of what it is given on its answer is kept, also when that is an error:
before, an error means that nothing was done."""


class _Running(NamedTuple):
    digest: bytes
    answer: asyncio.Future[Response | None]
    """None: it was not carried out."""


class OnceOnly:
    def __init__(self, replies: KeptReplies) -> None:
        self._replies = replies
        self._running: dict[tuple[str, str], _Running] = {}

    async def answer(self, request: Request, body: BaseModel, work: Work) -> Response:
        """Of `work`, or of an earlier request with the same key; one that is still carried out is waited for.

        Raises:
            InvalidRequest: the key is none.
            IdempotencyKeyReused: it came with another request before.
            OutcomeUnknown: the server died while it carried the request out.
            And what `work` raises.
        """
        key = request.headers.get(HEADER)
        if key is None:
            return await work(lambda: None)
        if not 0 < len(key) <= MAX_KEY_CHARS or not key.isascii() or not key.isprintable():
            raise InvalidRequest(
                f"`{HEADER}` must be 1 to {MAX_KEY_CHARS} printable ASCII characters"
            )
        scope, digest = _scope_of(request), _digest_of(request, body)
        while (running := self._running.get((scope, key))) is not None:
            _check(key, running.digest, digest)
            answer = await asyncio.shield(running.answer)
            if answer is not None:
                return _again(answer.status_code, bytes(answer.body))
        if (kept := self._replies.get(scope, key)) is not None:
            _check(key, kept.digest, digest)
            return _kept_answer(key, kept)
        session_id = request.path_params.get("session_id")
        return await self._carry_out(scope, key, digest, work, session_id)

    async def _carry_out(
        self, scope: str, key: str, digest: bytes, work: Work, session_id: str | None
    ) -> Response:
        is_begun = False

        def begun() -> None:
            nonlocal is_begun
            is_begun = True

        self._replies.begin(scope, key, digest)
        running = _Running(digest, asyncio.get_running_loop().create_future())
        self._running[scope, key] = running
        answer: Response | None = None
        try:
            try:
                response = await work(begun)
            except SandboxAgentError as exc:
                if not is_begun:
                    raise
                response = problem_response(exc)
            answer = response
            return response
        finally:
            self._keep(scope, key, answer, session_id, is_begun=is_begun)
            del self._running[scope, key]
            running.answer.set_result(answer)

    def _keep(
        self,
        scope: str,
        key: str,
        answer: Response | None,
        session_id: str | None,
        *,
        is_begun: bool,
    ) -> None:
        try:
            if answer is not None:
                body = bytes(answer.body)
                # The answer to a creation is the session itself.
                session_id = session_id or as_str(as_dict(loads(body)).get("id"))
                self._replies.finish(scope, key, answer.status_code, body, session_id=session_id)
            elif not is_begun:
                self._replies.forget(scope, key)
        except StorageError as exc:
            # Then nothing is known of its end, which is what a repetition will be told.
            logger.error("an answer is not kept: %s", exc.message)


def _scope_of(request: Request) -> str:
    """A key means something to who made it, for one thing to do."""
    caller = caller_of(request)
    who = f"{caller.actor or ''} {','.join(sorted(caller.scopes))}"
    return f"{who} {request.method} {request.url.path}"


def _digest_of(request: Request, body: BaseModel) -> bytes:
    # Not `model_dump_json`: it refuses half a surrogate pair, which a prompt may hold.
    text = dumps(body.model_dump(mode="json", exclude_unset=True))
    return hashlib.sha256(request.url.query.encode() + b"\n" + text).digest()


def _check(key: str, first: bytes, now: bytes) -> None:
    if first != now:
        raise IdempotencyKeyReused(
            f"`{HEADER}` {key[:64]!r} came with another request before; make a new one for each request"
        )


def _kept_answer(key: str, kept: Reply) -> Response:
    if kept.status is None:
        raise OutcomeUnknown(
            f"the server died while it carried out the request with the key {key[:64]!r}: look whether it was "
            "done, and send it with a new key if not"
        )
    return _again(kept.status, kept.body)


def _again(status: int, body: bytes) -> Response:
    kind = CONTENT_TYPE if status >= _FIRST_ERROR else "application/json"
    return Response(body, status_code=status, media_type=kind, headers={REPLAYED: "true"})
