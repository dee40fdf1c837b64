from __future__ import annotations

import pytest
from sandbox_agent_client import errors
from sandbox_agent_client._calls import agents, events, requests, sessions, turns
from sandbox_agent_client._calls.call import built
from sandbox_agent_core.api.sessions import CreateSession, PatchSession


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    assert sessions.get("../agents?x").path == "/v1/sessions/..%2Fagents%3Fx"
    assert requests.answer("a/b", "c d", reply="once").path == "/v1/sessions/a%2Fb/requests/c%20d"


def test_a_body_holds_only_what_was_given() -> None:
    call = sessions.create(built(CreateSession, agent="mock", thought_level="high", model=None))
    assert call.body == {"agent": "mock", "thoughtLevel": "high"}
    assert sessions.patch("s", mode="plan", model=None).body == {"mode": "plan"}
    assert turns.cancel("s").body == {}
    assert turns.cancel("s", "turn_1").body == {"turnId": "turn_1"}
    assert turns.cancel("s").query == {}
    assert turns.cancel("s", wait=True).query == {"wait": "true"}
    assert sessions.resume("s", env={"A": "b"}).body == {"env": {"A": "b"}}


def test_a_session_is_purged_only_when_it_is_deleted() -> None:
    assert sessions.delete("s").query == {}
    call = sessions.delete("s", purge=True)
    assert (call.method, call.path, call.query) == ("DELETE", "/v1/sessions/s", {"purge": "true"})


def test_a_prompt_is_text_or_blocks() -> None:
    assert turns.prompt("s", "hi").body == {"content": [{"type": "text", "text": "hi"}]}
    image = {"type": "image", "data": "AA==", "mimeType": "image/png"}
    assert turns.prompt("s", [image]).body == {"content": [image]}
    with pytest.raises(errors.InvalidRequest):
        turns.prompt("s", "")
    with pytest.raises(errors.InvalidRequest):
        turns.prompt("s", [{"type": "image"}])


def test_an_answer_is_one_of_four() -> None:
    assert requests.answer("s", "r", option_id="x").body == {"optionId": "x"}
    assert requests.answer("s", "r", decline=True).body == {"decline": True}
    with pytest.raises(errors.InvalidRequest):
        requests.answer("s", "r")
    with pytest.raises(errors.InvalidRequest):
        requests.answer("s", "r", option_id="x", reply="once")


def test_a_wrong_member_is_named_before_anything_is_sent() -> None:
    with pytest.raises(errors.InvalidRequest, match="permission_policy"):
        built(PatchSession, permission_policy={"default": "maybe"})


def test_pages_are_of_the_frame_view() -> None:
    call = events.session_events("s", deltas=False).page(7, limit=5)
    assert call.query == {"after": 7, "limit": 5, "view": "frames", "deltas": "false"}
    assert events.session_events("s").query(3) == {"after": 3, "view": "frames"}


def test_an_answer_of_something_else_is_not_taken_for_ours() -> None:
    with pytest.raises(errors.InternalError, match="sandbox-agent server"):
        agents.health().parse({"hello": "world"})


def test_calls_that_wait_for_an_agent_have_no_deadline() -> None:
    assert not turns.prompt("s", "hi").has_deadline
    assert not sessions.create(CreateSession(agent="mock")).has_deadline
    assert sessions.get("s").has_deadline
