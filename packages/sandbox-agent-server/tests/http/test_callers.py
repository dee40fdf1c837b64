"""What a token is good for, and in whose name it answers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from sandbox_agent_core.api.requests import AnswerRequest
from sandbox_agent_core.api.sessions import CreateSession, PatchSession, ResumeSession
from sandbox_agent_core.api.tokens import TokenScope
from sandbox_agent_core.errors import PermissionDenied
from sandbox_agent_server.app import ROUTES
from sandbox_agent_server.http.callers import OWNER, Caller, TokenCalls, check_settings, signed
from sandbox_agent_server.store.tokens import StoredToken

WATCHER = Caller(frozenset({"read"}), "watcher")
PROMPTER = Caller(frozenset({"prompt"}), "bot")
APPROVER = Caller(frozenset({"prompt", "answer"}), "ada")
ADMIN = Caller(frozenset({"admin"}), "root")
TOKEN = StoredToken(id="tok_1", sha256="", actor="ada", scopes=("read",), created_s=0.0)


@pytest.mark.parametrize(
    ("caller", "may"),
    [
        (WATCHER, {"read"}),
        (PROMPTER, {"read", "prompt"}),
        (APPROVER, {"read", "prompt", "answer"}),
        (ADMIN, {"read", "prompt", "answer", "host", "admin"}),
        (OWNER, {"read", "prompt", "answer", "host", "admin"}),
    ],
)
def test_a_scope_is_what_it_says_and_everybody_may_read(caller: Caller, may: set[str]) -> None:
    scopes: tuple[TokenScope, ...] = ("read", "prompt", "answer", "host", "admin")
    assert {scope for scope in scopes if caller.may(scope)} == may


def test_whoever_may_only_read_changes_nothing() -> None:
    assert {route.method for route in ROUTES if route.scope == "read"} == {"GET"}
    assert {route.path for route in ROUTES if route.scope == "answer"} == {
        "/v1/sessions/{session_id}/requests/{request_id}"
    }


@pytest.mark.parametrize(
    "members",
    [
        {"mode": "bypass"},
        {"mode": "accept-edits"},
        {"mode": "an agent's own"},
        {"permissionPolicy": {"default": "allow"}},
        {"env": {"PATH": "/tmp"}},
        {"mcpServers": [{"name": "x", "command": "/bin/sh", "args": []}]},
        {"baseUrl": "http://127.0.0.1:1"},
    ],
)
def test_who_may_not_answer_may_not_set_what_answers(members: dict[str, Any]) -> None:
    body = CreateSession.model_validate({"agent": "mock", **members})
    with pytest.raises(PermissionDenied, match=next(iter(members))):
        check_settings(PROMPTER, body)
    check_settings(APPROVER, body)
    check_settings(OWNER, body)


@pytest.mark.parametrize("mode", ["ask", "read-only", "plan"])
def test_a_session_that_asks_can_be_made_by_who_prompts(mode: str) -> None:
    check_settings(PROMPTER, CreateSession(agent="mock", mode=mode, model="m", metadata={"a": 1}))


def test_the_same_holds_for_a_session_that_there_is() -> None:
    for body in (
        PatchSession(mode="bypass"),
        PatchSession(config_options={"approvals": "off"}),
        ResumeSession(env={"PATH": "/tmp"}),
    ):
        with pytest.raises(PermissionDenied):
            check_settings(PROMPTER, body)
    check_settings(PROMPTER, PatchSession(model="m", metadata={}))
    check_settings(PROMPTER, ResumeSession())


def test_an_answer_is_signed_by_who_holds_the_token() -> None:
    assert signed(APPROVER, AnswerRequest(reply="once")).actor == "ada"
    assert signed(APPROVER, AnswerRequest(reply="once", actor="ada")).actor == "ada"
    with pytest.raises(PermissionDenied, match="bob"):
        signed(APPROVER, AnswerRequest(reply="once", actor="bob"))
    assert signed(OWNER, AnswerRequest(reply="once", actor="bob")).actor == "bob"
    assert signed(OWNER, AnswerRequest(reply="once")).actor is None


async def test_a_revoked_tokens_calls_end_and_others_do_not() -> None:
    calls = TokenCalls()
    ended: list[str] = []

    async def call(token: StoredToken) -> None:
        with calls.hold(token):
            await asyncio.Event().wait()
        ended.append(token.id)

    other = StoredToken(id="tok_2", sha256="", actor="bob", scopes=("read",), created_s=0.0)
    tasks = [asyncio.create_task(call(token)) for token in (TOKEN, TOKEN, other)]
    await asyncio.sleep(0)
    calls.cut_off(TOKEN)
    await asyncio.gather(*tasks[:2])
    assert ended == ["tok_1", "tok_1"]
    assert not tasks[2].done()
    tasks[2].cancel()
    with suppress(asyncio.CancelledError):
        await tasks[2]
    assert tasks[2].cancelled()
    assert ended == ["tok_1", "tok_1"]
