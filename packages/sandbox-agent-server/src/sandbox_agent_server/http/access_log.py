"""One line per request: id, method, path, status, time. Never a header, a query or a body.

Outermost, so a bug anywhere ends here: with a traceback in the log and a problem for the caller.
"""

from __future__ import annotations

import logging
import time
from urllib.parse import quote

from sandbox_agent_core.errors import InternalError
from sandbox_agent_core.ids import new_id
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox_agent_server.http.errors import problem_response

__all__ = ["AccessLog"]

logger = logging.getLogger(__name__)


class AccessLog:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = scope["request_id"] = new_id("rid")
        started = time.monotonic()
        status = 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            elif message["type"] == "websocket.accept":
                status = 101
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception:
            logger.exception("request failed", extra={"request_id": request_id})
            if scope["type"] == "http" and status == 0:
                bug = InternalError(
                    f"a bug in the server; its log has the details of request {request_id}"
                )
                await problem_response(bug)(scope, receive, send_and_note)
        finally:
            logger.info(
                "%s %s %s",
                scope.get("method", "WS"),
                _escaped(scope["path"]),
                status,
                extra={
                    "request_id": request_id,
                    "session_id": _escaped(scope.get("path_params", {}).get("session_id")),
                    "duration_ms": round((time.monotonic() - started) * 1000, 1),
                },
            )


def _escaped(text: str | None) -> str | None:
    """As in a URL: servers hand over paths decoded, and a `%0A` in one would begin a line of its own."""
    return None if text is None else quote(text, safe="/:@!$&'()*+,;=", errors="replace")
