"""Tokens in the hands of others: what each may do, in whose name, and until when."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from sandbox_agent_client import SandboxAgentSync
from sandbox_agent_client.errors import PermissionDenied, TokenInvalid
from support.server import ServerProcess, until
from websockets.sync.client import connect as websocket

MakeServer = Callable[..., ServerProcess]


@pytest.fixture
def server(make_server: MakeServer) -> ServerProcess:
    return make_server().start()


@pytest.fixture
def owner(server: ServerProcess) -> Iterator[SandboxAgentSync]:
    with SandboxAgentSync.connect(server.url, token=server.token) as client:
        yield client


def ask(
    server: ServerProcess, token: str, method: str, path: str, body: Any = None
) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.request(method, server.url + path, headers=headers, json=body, timeout=30)


def test_each_scope_opens_what_it_names_and_no_more(
    server: ServerProcess, owner: SandboxAgentSync
) -> None:
    session = owner.create_session("mock")
    path = f"/v1/sessions/{session.id}"
    tries: dict[str, tuple[str, str, Any]] = {
        "look": ("GET", path, None),
        "prompt": ("POST", f"{path}/prompt", {"text": "text"}),
        "cancel": ("POST", f"{path}/cancel", {}),
        "answer": ("POST", f"{path}/requests/req_none", {"reply": "once"}),
        "loosen": ("PATCH", path, {"mode": "bypass"}),
        "purge": ("DELETE", f"{path}?purge=true", None),
        "tokens": ("GET", "/v1/tokens", None),
        "more": ("POST", "/v1/tokens", {"actor": "me", "scopes": ["admin"]}),
        "install": ("POST", "/v1/agents/mock/install", {}),
    }
    allowed = {}
    for scope in ("read", "prompt", "answer"):
        token = owner.create_token("somebody", [scope]).token
        allowed[scope] = {
            name for name, given in tries.items() if ask(server, token, *given).status_code != 403
        }
    assert allowed["read"] == {"look"}
    assert allowed["prompt"] == {"look", "prompt", "cancel"}
    assert allowed["answer"] == {"look", "answer"}


def test_an_answer_is_recorded_as_the_holders(
    server: ServerProcess, owner: SandboxAgentSync
) -> None:
    session = owner.create_session("mock")
    token = owner.create_token("ada", ["answer"]).token
    with SandboxAgentSync.connect(server.url, token=token) as ada:
        seen = ada.get_session(session.id)
        turn = threading.Thread(target=session.prompt, args=("permission",))
        turn.start()
        until(lambda: session.requests())
        (request,) = session.requests()
        with pytest.raises(PermissionDenied, match="eve"):
            seen.respond(request.id, reply="once", actor="eve")
        seen.respond(request.id, reply="once")
        turn.join(timeout=30)
    (resolved,) = server.events(session.id, "permission.resolved")
    assert (resolved["data"]["decidedBy"], resolved["data"]["actor"]) == ("user", "ada")


def test_a_websocket_is_held_to_the_same(server: ServerProcess, owner: SandboxAgentSync) -> None:
    session = owner.create_session("mock")
    token = owner.create_token("watcher", ["read"]).token
    url = server.url.replace("http", "ws", 1) + f"/v1/sessions/{session.id}/ws"
    with websocket(url, additional_headers={"authorization": f"Bearer {token}"}) as socket:
        socket.send('{"type":"prompt","id":1,"text":"text"}')
        answers = iter(lambda: socket.recv(timeout=30), None)
        reply = next(answer for answer in answers if '"type":"error"' in str(answer))
    assert "permission_denied" in str(reply)
    assert server.events(session.id, "turn.started") == []


def test_a_revoked_token_is_refused_and_what_it_follows_ends(
    server: ServerProcess, owner: SandboxAgentSync
) -> None:
    session = owner.create_session("mock")
    made = owner.create_token("ada", ["read"])
    headers = {"authorization": f"Bearer {made.token}", "accept": "text/event-stream"}
    url = f"{server.url}/v1/sessions/{session.id}/events"
    with httpx.stream("GET", url, headers=headers, timeout=30) as stream:
        chunks = stream.iter_raw()
        next(chunks)
        owner.revoke_token(made.id)
        with suppress(httpx.RemoteProtocolError):  # cut off in the middle of the body
            for _chunk in chunks:
                pass
    assert ask(server, made.token, "GET", "/v1/health").status_code == 401
    assert [token.id for token in owner.list_tokens()] == []
    session.prompt("text")


def test_tokens_outlive_the_server(server: ServerProcess, owner: SandboxAgentSync) -> None:
    kept, revoked = (owner.create_token("ada", ["read"]) for _ in range(2))
    owner.revoke_token(revoked.id)
    server.kill()
    server.start()
    assert ask(server, kept.token, "GET", "/v1/health").status_code == 200
    assert ask(server, revoked.token, "GET", "/v1/health").status_code == 401
    assert kept.token not in server.log()
    with pytest.raises(TokenInvalid), SandboxAgentSync.connect(server.url, token=revoked.token):
        pass
