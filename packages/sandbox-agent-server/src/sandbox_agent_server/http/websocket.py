"""The WebSocket: events out; prompt, cancel, respond and set in. Resumes with `?after=`."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from sandbox_agent_core.api.prompts import CancelRequest, PromptRequest
from sandbox_agent_core.api.requests import AnswerRequest
from sandbox_agent_core.api.sessions import PatchSession
from sandbox_agent_core.api.tokens import TokenScope
from sandbox_agent_core.errors import InternalError, InvalidRequest, SandboxAgentError
from sandbox_agent_core.wire.problem import to_problem
from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox_agent_server.http.body import parse_json, validate
from sandbox_agent_server.http.callers import Caller, caller_of, check_settings, signed
from sandbox_agent_server.http.errors import problem_response
from sandbox_agent_server.http.feed_stream import FeedQuery, follow_feed
from sandbox_agent_server.http.outgoing import GOING_AWAY, Outgoing
from sandbox_agent_server.http.presented_token import WEBSOCKET_PROTOCOL
from sandbox_agent_server.http.stream import (
    PIECE_BYTES,
    StreamCounter,
    StreamQuery,
    drain_of,
    first_of,
    follow_log,
)
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.log.log import SessionLog
from sandbox_agent_server.log.views import Shown
from sandbox_agent_server.sessions.feed import Feed
from sandbox_agent_server.sessions.manager import SessionManager
from sandbox_agent_server.sessions.session import Session

__all__ = ["refuse_websocket", "serve_feed", "serve_websocket"]

_POLICY_VIOLATION = 1008
_HEARTBEAT: Final[list[str | bytes]] = ['{"type":"heartbeat"}']


async def serve_websocket(
    websocket: WebSocket,
    manager: SessionManager,
    log: SessionLog,
    query: StreamQuery,
    counter: StreamCounter,
    limits: Limits,
) -> None:
    """Until the client leaves or the server stops."""
    offered = websocket.scope.get("subprotocols", ())

    outgoing = Outgoing(websocket)

    async def send_all(messages: list[str | bytes]) -> None:
        for message in messages:
            await outgoing.send(message)

    async def send_events() -> None:
        await follow_log(
            log,
            query,
            write=_write_messages,
            send=send_all,
            drain=drain_of(websocket.scope),
            heartbeat=_HEARTBEAT,
            heartbeat_s=limits.heartbeat_s,
        )
        await websocket.close(GOING_AWAY, "the server is stopping")

    # An OSError: it left while it was accepted.
    with counter.hold(), suppress(WebSocketDisconnect, OSError):
        await websocket.accept(WEBSOCKET_PROTOCOL if WEBSOCKET_PROTOCOL in offered else None)
        await first_of(
            send_events(), _read_commands(websocket, outgoing, manager, log.session_id, limits)
        )


async def refuse_websocket(websocket: WebSocket, error: SandboxAgentError) -> None:
    """Instead of accepting it."""
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(problem_response(error))
    else:
        await websocket.close(_POLICY_VIOLATION, error.code)


async def serve_feed(
    websocket: WebSocket, feed: Feed, query: FeedQuery, counter: StreamCounter, limits: Limits
) -> None:
    """What happens in all sessions, until the client leaves or the server stops. It takes no commands."""
    offered = websocket.scope.get("subprotocols", ())
    outgoing = Outgoing(websocket)

    async def send_lines(lines: list[bytes], cursor: str | None) -> None:
        for message in _messages(lines):
            await outgoing.send(message)
        if cursor is not None:
            await outgoing.reply({"type": "checkpoint", "cursor": cursor})

    async def beat() -> None:
        for message in _HEARTBEAT:
            await outgoing.send(message)

    async def send_events() -> None:
        await follow_feed(
            feed,
            query,
            send=send_lines,
            beat=beat,
            drain=drain_of(websocket.scope),
            heartbeat_s=limits.heartbeat_s,
        )
        await websocket.close(GOING_AWAY, "the server is stopping")

    async def until_it_leaves() -> None:
        while (await websocket.receive())["type"] != "websocket.disconnect":
            refusal = InvalidRequest("there are no commands here; /v1/sessions/{id}/ws takes them")
            await outgoing.reply({"type": "error", "id": None, "error": to_problem(refusal)})

    with counter.hold(), suppress(WebSocketDisconnect, OSError):
        await websocket.accept(WEBSOCKET_PROTOCOL if WEBSOCKET_PROTOCOL in offered else None)
        await first_of(send_events(), until_it_leaves())


def _write_messages(shown: Shown, _last_seq: int) -> list[str | bytes] | None:
    return _messages(line for _, line in shown) or None


def _messages(lines: Iterable[bytes]) -> list[str | bytes]:
    """What is sent in pieces as bytes: encoded once, and not for each reader."""
    return [
        '{"type":"event","event":' + line.decode() + "}"
        if len(line) <= PIECE_BYTES
        else b'{"type":"event","event":%b}' % line
        for line in lines
    ]


async def _read_commands(
    websocket: WebSocket,
    outgoing: Outgoing,
    manager: SessionManager,
    session_id: str,
    limits: Limits,
) -> None:
    caller = caller_of(websocket)
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        raw = message.get("text")
        reply: dict[str, Any]
        command_id: Any = None
        try:
            command = parse_json(raw if raw is not None else message.get("bytes") or b"", limits)
            if not isinstance(command, dict):
                raise InvalidRequest("a command must be a JSON object with a `type`")
            command_id = _id_of(command)
            with manager.session(session_id) as session:
                result = await _run(command, session, caller)
                reply = {"type": "result", "id": command_id, "result": result}
        except SandboxAgentError as exc:
            reply = {"type": "error", "id": command_id, "error": to_problem(exc)}
        except Exception:
            problem = to_problem(InternalError("a bug in the server; its log has the details"))
            await outgoing.reply({"type": "error", "id": command_id, "error": problem})
            raise
        await outgoing.reply(reply)


def _id_of(command: dict[str, Any]) -> str | int | None:
    """Raises: InvalidRequest for one that could not be given back as it came."""
    command_id = command.pop("id", None)
    if isinstance(command_id, bool) or not isinstance(command_id, str | int | None):
        raise InvalidRequest("the `id` of a command is a string, or a whole number of 64 bit")
    return command_id


_SCOPES: Final[dict[str, TokenScope]] = {"respond": "answer"}
"""Of the commands that need another one than `prompt`."""


async def _run(command: dict[str, Any], session: Session, caller: Caller) -> dict[str, Any]:
    kind = command.pop("type", None)
    scope = _SCOPES.get(kind, "prompt") if isinstance(kind, str) else "prompt"
    caller.require(scope, to=f"send {kind!r}")
    match kind:
        case "prompt":
            asked = validate(command, PromptRequest)
            turn, position, seq = session.prompt(asked.blocks(), asked.output_schema, asked.limits)
            return {"turnId": turn.id, "position": position, "seq": seq}
        case "cancel":
            done = session.cancel_as_asked(validate(command, CancelRequest))
            return {"cancelled": done.cancelled, "tasks": done.tasks}
        case "respond":
            request_id = command.pop("requestId", None)
            if not isinstance(request_id, str):
                raise InvalidRequest(
                    "`respond` needs the `requestId` of the request that it answers"
                )
            answer = signed(caller, validate(command, AnswerRequest))
            return session.answer(request_id, answer)
        case "set":
            change = validate(command, PatchSession)
            check_settings(caller, change)
            await session.patch(change)
            return session.info().model_dump(by_alias=True, exclude_none=True)
        case _:
            raise InvalidRequest(
                f"there is no command {kind!r}; use prompt, cancel, respond or set as `type`"
            )
