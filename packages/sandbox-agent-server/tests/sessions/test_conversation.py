"""Frames go in at either end of a conversation, and come out at the other as they are, with the log in between."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.api.policy import PermissionPolicy
from sandbox_agent_core.api.requests import AnswerRequest
from sandbox_agent_core.errors import (
    AgentError,
    AgentProcessExited,
    Conflict,
    InvalidRequest,
    RequestNotFound,
    StorageError,
    Unavailable,
)
from sandbox_agent_core.events import AgentUpdate, ErrorReported, MessageCompleted, TurnEnded
from sandbox_agent_core.frames import acp, extensions
from sandbox_agent_core.frames.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    error_response,
    notification,
    request,
    response,
)
from sandbox_agent_core.projection import project
from sandbox_agent_core.spi.agent import AgentExit
from sandbox_agent_server.agents.runner.failures import error_of_frame
from sandbox_agent_server.log import log as log_module
from sandbox_agent_server.sessions.fold import fold
from still_clock import StillClock
from support.scripted_adapter import ScriptedAdapter, fails, says, silence, update
from talk import Talk, permission, settled, shapes, until


def message(text: str) -> Any:
    return update(acp.AGENT_MESSAGE_CHUNK, content={"type": "text", "text": text})


# From the client


@pytest.mark.parametrize("id", [0, 1, -5, 1 << 70, "", "abc", "é"])
async def test_a_request_of_a_client_and_its_answer_pass_as_they_are(talk: Talk, id: Any) -> None:
    frame = {
        **request(id, "_acme/do", {"n": 1 << 80, "_meta": {"trace": "x"}}),
        "_meta": {"traceparent": "00-1"},
    }
    raw = json.dumps(frame, indent=None, separators=(" , ", " : ")).encode()
    reply = {**response(id, {"_meta": {"y": 1}}), "_meta": {"took": 3}}
    talk.adapter.answers["_acme/do"] = lambda _frame: [reply]

    answer = talk.conversation.send(frame, raw=raw)

    assert talk.adapter.sent == [frame]
    assert talk.log.file.path.read_bytes().splitlines()[-1].endswith(b'"payload":' + raw + b"}")
    assert answer is not None
    assert await asyncio.wait_for(answer, 5) == reply
    asked, answered = talk.entries[-2:]
    assert (asked.sender, asked.payload, asked.method) == ("client", frame, "_acme/do")
    assert (answered.sender, answered.payload, answered.method) == ("agent", reply, "_acme/do")


async def test_a_notification_of_a_client_is_logged_and_sent_and_not_answered(talk: Talk) -> None:
    frame = {**notification("_acme/hint", {"a": [1]}), "_meta": {"b": 2}}
    assert talk.conversation.send(frame) is None
    assert talk.adapter.sent == [talk.entries[-1].payload] == [frame]


async def test_a_client_does_the_handshake_itself_and_the_state_follows(talk: Talk) -> None:
    talk.adapter.answers[acp.INITIALIZE] = {"protocolVersion": 1, "agentInfo": {"name": "a"}}
    talk.adapter.answers[acp.SESSION_NEW] = {"sessionId": "s9"}
    hello = talk.conversation.send(request(1, acp.INITIALIZE, {"protocolVersion": 1}))
    assert hello is not None
    assert (await asyncio.wait_for(hello, 5))["result"]["agentInfo"] == {"name": "a"}
    opened = talk.conversation.send(request(2, acp.SESSION_NEW, {"cwd": "/tmp", "mcpServers": []}))
    assert opened is not None
    await asyncio.wait_for(opened, 5)
    state = talk.conversation.state
    assert (state.is_running, state.agent_session_id) == (True, "s9")
    assert state.agent_info == {"name": "a"}
    assert [one["id"] for one in talk.adapter.sent] == [1, 2]


async def test_a_prompt_of_a_client_is_a_turn(talk: Talk) -> None:
    talk.adapter.answers[acp.SESSION_PROMPT] = silence
    answer = talk.conversation.send(request("p", acp.SESSION_PROMPT, {"prompt": []}))
    turn_id = talk.conversation.state.turn_id
    assert turn_id is not None
    with pytest.raises(Conflict):
        talk.conversation.send(request("p2", acp.SESSION_PROMPT, {"prompt": []}))
    await talk.agent_writes(message("hello"), response("p", {"stopReason": "end_turn"}))
    assert answer is not None
    assert (await asyncio.wait_for(answer, 5))["result"] == {"stopReason": "end_turn"}
    assert talk.conversation.state.turn_id is None
    assert [frame["id"] for frame in talk.answered] == ["p"]
    assert shapes(talk.entries)[1:] == [
        "client session/prompt",
        "agent session/update",
        "server message.completed",
        "agent =session/prompt",
    ]
    assert {one.turn_id for one in talk.entries[1:]} == {turn_id}

    talk.conversation.send(request("p", acp.SESSION_PROMPT, {"prompt": []}), turn_id="turn_x")
    assert talk.conversation.state.turn_id == "turn_x"


async def test_an_id_is_taken_until_its_answer_came(talk: Talk) -> None:
    talk.adapter.answers["_acme/do"] = silence
    talk.conversation.send(request(1, "_acme/do", {}))
    before = talk.log.last_seq
    with pytest.raises(Conflict):
        talk.conversation.send(request(1, "_acme/do", {}))
    with pytest.raises(Conflict):
        talk.conversation.send(request(1, acp.SESSION_PROMPT, {"prompt": []}))
    assert talk.log.last_seq == before
    talk.conversation.send(request("1", "_acme/do", {}))  # another id
    await talk.agent_answers(1, {})
    talk.conversation.send(request(1, acp.SESSION_PROMPT, {"prompt": []}))
    assert talk.conversation.state.turn_id is not None


async def test_a_request_of_our_own_takes_no_id_of_the_client(talk: Talk) -> None:
    talk.adapter.answers["_acme/do"] = silence
    next_seq = talk.log.next_seq + 1
    talk.conversation.send(request(next_seq, "_acme/do", {}))
    asking = asyncio.ensure_future(talk.conversation.ask("_acme/do", {}))
    await asyncio.sleep(0)
    assert talk.adapter.sent[-1]["id"] not in (next_seq, None)
    await talk.agent_answers(talk.adapter.sent[-1]["id"], {"ok": 1})
    assert await asyncio.wait_for(asking, 5) == {"ok": 1}


async def test_a_response_of_a_client_goes_to_what_the_agent_asked(talk: Talk) -> None:
    await talk.asked(permission("x"))
    with pytest.raises(RequestNotFound):
        talk.conversation.send(response("y", {}))
    with pytest.raises(InvalidRequest):
        talk.conversation.send(response("x", {"outcome": {"outcome": "selected"}}))
    frame = response("x", {"outcome": {"outcome": "cancelled"}})
    assert talk.conversation.send(frame) is None
    assert talk.answers == [frame]


async def test_what_only_the_agent_may_see_is_not_in_the_log(talk: Talk) -> None:
    talk.adapter.answers["_acme/login"] = {"in": True}
    result = await asyncio.wait_for(
        talk.conversation.ask("_acme/login", {"key": "hunter2"}, logged={"key": "***"}), 5
    )
    assert result == {"in": True}
    assert talk.adapter.sent[-1]["params"] == {"key": "hunter2"}
    assert b"hunter2" not in talk.log.file.path.read_bytes()


async def test_a_refusal_of_the_agent_is_raised_to_who_asked(talk: Talk) -> None:
    talk.adapter.answers["_acme/do"] = fails("no", -32005)
    with pytest.raises(AgentError) as caught:
        await asyncio.wait_for(talk.conversation.ask("_acme/do", {}), 5)
    assert caught.value.details["agentCode"] == -32005


@pytest.mark.parametrize("id", [5, None])
async def test_what_cannot_be_logged_is_not_sent_and_may_be_sent_again(
    talk: Talk, disk: Any, id: Any
) -> None:
    frame = request(5, "_acme/do", {}) if id else notification("_acme/do", {})
    talk.adapter.answers["_acme/do"] = silence
    with disk.full(), pytest.raises(StorageError):
        talk.conversation.send(frame)
    with disk.full(), pytest.raises(StorageError):
        talk.conversation.send(request(6, acp.SESSION_PROMPT, {"prompt": []}))
    with disk.full(), pytest.raises(StorageError):
        talk.prompt()
    assert talk.adapter.sent == []
    assert talk.conversation.state.turn_id is talk.conversation.stamper.turn_id is None
    talk.conversation.send(frame)
    talk.conversation.send(request(6, acp.SESSION_PROMPT, {"prompt": []}))
    assert len(talk.adapter.sent) == 2


async def test_without_an_agent_nothing_is_taken_and_no_turn_begins(tmp_path: Path) -> None:
    talk = Talk(tmp_path)
    for frame in (
        request(1, acp.SESSION_PROMPT, {"prompt": []}),
        request(2, "_acme/do", {}),
        notification("_acme/do", {}),
    ):
        with pytest.raises(Unavailable):
            talk.conversation.send(frame)
    with pytest.raises(Unavailable):
        talk.conversation.begin_turn(acp.SESSION_PROMPT, {"prompt": []}, "turn_1")
    assert talk.log.last_seq == 1
    await talk.connect()
    talk.conversation.send(request(1, acp.SESSION_PROMPT, {"prompt": []}))
    assert talk.conversation.state.turn_id is not None
    await talk.close()


# From the agent


async def test_a_batch_is_one_step_in_the_order_in_which_it_was_written(talk: Talk) -> None:
    steps: list[int] = []
    talk.conversation.observers.append(lambda step: steps.append(len(step.drafts)))
    talk.prompt()
    await talk.agent_writes(message("a"), notification("_acme/x", {}), message("b"))
    assert steps == [1, 3]
    assert shapes(talk.entries)[2:] == [
        "agent session/update",
        "agent _acme/x",
        "agent session/update",
    ]


async def test_an_unknown_request_of_the_agent_is_refused_and_another_is_served(talk: Talk) -> None:
    served: list[Any] = []
    talk.conversation.services["_acme/serve"] = served.append
    await talk.agent_writes(request(3, "_acme/what", {}), request(4, "_acme/serve", {"a": 1}))
    (refusal,) = talk.answers
    assert (refusal["id"], refusal["error"]["code"]) == (3, METHOD_NOT_FOUND)
    assert [frame["id"] for frame in served] == [4]
    assert shapes(talk.entries)[1:] == ["agent _acme/what", "client =-", "agent _acme/serve"]


async def test_an_answer_to_nothing_is_logged_and_ends_nothing(talk: Talk) -> None:
    id = talk.prompt()
    await talk.agent_writes(
        response(4711, {}),
        response(str(id), {}),
        {"id": None, "error": {}},
        {"method": 7},
        {"method": 7, "id": id, "result": {}},
        {},
    )
    assert len(talk.entries) == 2 + 6
    assert talk.conversation.state.turn_id == "turn_1"
    assert talk.answered == []


@pytest.mark.parametrize("twin", ["7", 7.5, True, 0, 1 << 70, None], ids=repr)
async def test_requests_with_ids_that_differ_in_kind_are_apart(talk: Talk, twin: Any) -> None:
    first = await talk.asked(permission(7))
    await talk.agent_writes(permission(1), {**permission(), "id": twin})
    if twin is None:
        (refusal,) = talk.answers
        assert (refusal["id"], refusal["error"]["code"]) == (None, INVALID_REQUEST)
        return
    assert len(talk.conversation.requests) == 3
    for id in (*talk.conversation.state.pending,):
        talk.conversation.requests.answer(id, AnswerRequest(option_id="a1"))
    assert [repr(frame["id"]) for frame in talk.answers] == [repr(7), repr(1), repr(twin)]
    assert first in talk.resolutions


async def test_two_requests_with_one_id_get_one_answer_and_it_allows_nothing(talk: Talk) -> None:
    first = await talk.asked(permission(7, title="ls"))
    await talk.agent_writes(permission(7, title="rm -rf /"))
    (answer,) = talk.answers
    assert (answer["id"], answer["error"]["code"]) == (7, INVALID_REQUEST)
    assert len(talk.conversation.requests) == 0
    assert talk.resolutions[first]["outcome"] == "cancelled"
    assert shapes(talk.entries)[-3:] == [
        "agent session/request_permission",
        "server =session/request_permission",
        "server error",
    ]
    # The id is free again.
    await talk.asked(permission(7))
    assert len(talk.conversation.requests) == 1


async def test_two_requests_with_one_id_in_one_batch_get_one_answer(tmp_path: Path) -> None:
    talk = Talk(tmp_path, policy=PermissionPolicy(default="allow"))
    await talk.connect()
    await talk.agent_writes(permission(7), permission(7), request(7, "_acme/what", {}))
    (answer,) = talk.answers
    assert answer["result"]["outcome"]["outcome"] == "selected"
    assert shapes(talk.entries).count("server error") == 2
    await talk.close()


async def test_two_requests_with_one_id_that_the_server_carries_out_get_one_answer(
    talk: Talk,
) -> None:
    served: list[Any] = []
    talk.conversation.services["_acme/serve"] = served.append
    await talk.agent_writes(request(4, "_acme/serve", {"a": 1}))
    await talk.agent_writes(request(4, "_acme/serve", {"a": 2}), permission(4))
    assert [frame["params"] for frame in served] == [{"a": 1}]
    assert talk.answers == []
    assert shapes(talk.entries).count("server error") == 2

    step = talk.conversation.step()
    talk.conversation.respond(step, response(4, {"done": True}))
    talk.log.append(step)
    assert [frame["result"] for frame in talk.answers] == [{"done": True}]
    await talk.agent_writes(request(4, "_acme/serve", {"a": 3}))
    assert len(served) == 2


async def test_an_update_that_was_sent_as_a_request_is_answered(talk: Talk) -> None:
    talk.prompt()
    await talk.agent_writes({**message("a"), "id": 9}, message("b"))
    assert talk.answers == [response(9, None)]
    assert [one.method for one in talk.entries].count(acp.SESSION_UPDATE) == 2


async def test_a_request_that_was_lost_is_answered_and_told(talk: Talk) -> None:
    lost = {"text": "{", "reason": "not JSON", "method": "session/request_permission", "rpcId": 77}
    await talk.agent_writes(notification(extensions.AGENT_UNPARSED, lost))
    (answer,) = talk.answers
    assert (answer["id"], answer["error"]["code"]) == (77, PARSE_ERROR)
    event = project(talk.entries[-1])
    assert isinstance(event, ErrorReported)
    assert (event.code, event.method) == ("agent_error", "session/request_permission")
    assert "not JSON" in event.message


async def test_an_answer_under_an_id_that_became_a_float_is_the_answer(talk: Talk) -> None:
    id = talk.prompt()
    await talk.agent_writes(response(float(id), {"stopReason": "end_turn"}))  # type: ignore[arg-type]
    assert talk.conversation.state.turn_id is None


async def test_an_error_that_says_nothing_gets_the_last_words_of_the_process(talk: Talk) -> None:
    talk.adapter.last_words = "starting\nError: 401 Unauthorized"
    id = talk.prompt()
    await talk.agent_writes(error_response(id, INTERNAL_ERROR, "Internal error"))
    event = project(talk.entries[-1])
    assert isinstance(event, TurnEnded)
    assert event.error is not None
    assert event.error.code == "agent_auth_required"
    assert "401 Unauthorized" in event.error.message
    assert "401 Unauthorized" in error_of_frame(talk.answered[-1]).message

    id = talk.prompt("turn_2")
    await talk.agent_writes(error_response(id, INTERNAL_ERROR, "the disk is full"))
    assert talk.entries[-1].annotations is None


async def open_session(talk: Talk, id: str = "s1") -> None:
    talk.adapter.answers[acp.SESSION_NEW] = {"sessionId": id}
    await asyncio.wait_for(talk.conversation.ask(acp.SESSION_NEW, {}), 5)


def of_session(id: Any, frame: Any) -> Any:
    return {**frame, "params": {**frame["params"], "sessionId": id}}


async def test_what_is_said_of_another_session_is_no_part_of_this_one(talk: Talk) -> None:
    await talk.agent_writes(of_session("early", message("before it was opened")))
    await open_session(talk)
    talk.prompt()
    before = talk.log.last_seq
    mode = update(acp.CURRENT_MODE_UPDATE, currentModeId="yolo")
    await talk.agent_writes(
        message("mi"),
        of_session("s2", message("theirs")),
        of_session("s2", mode),
        message("ne"),
        of_session(None, message("!")),
        response(talk.adapter.sent[-1]["id"], {"stopReason": "end_turn"}),
    )
    events = [project(one) for one in talk.entries[before:]]
    assert [event.update_type for event in events if isinstance(event, AgentUpdate)] == [
        "session/update",
        "session/update",
    ]
    assert "theirs" in str(events[1])
    assert "'s2'" in str(events[1])
    (said,) = [event for event in events if isinstance(event, MessageCompleted)]
    assert said.text == "mine!"
    assert talk.conversation.state.options.mode != "yolo"
    folded = talk.conversation.state
    for entry in talk.entries[before:]:
        folded = fold(folded, entry)
    assert folded.options == talk.conversation.state.options


async def test_a_request_of_another_session_is_refused_and_told(talk: Talk) -> None:
    await open_session(talk)
    await talk.agent_writes(of_session("s2", permission(5)), permission(6))
    (refusal,) = talk.answers
    assert (refusal["id"], refusal["error"]["code"]) == (5, INVALID_PARAMS)
    assert len(talk.conversation.requests) == 1
    errors = [e for one in talk.entries if isinstance(e := project(one), ErrorReported)]
    assert [error.method for error in errors] == ["session/request_permission"]


async def test_a_session_that_goes_by_another_name_is_still_this_one(talk: Talk) -> None:
    await open_session(talk)
    renamed = update(acp.SESSION_INFO_UPDATE, _meta={"agentSessionId": "s9"})
    await talk.agent_writes(renamed, message("a"), of_session("s9", message("b")))
    assert {one.annotations for one in talk.entries if one.method == acp.SESSION_UPDATE} == {None}
    assert talk.conversation.state.agent_session_id == "s9"


async def test_a_session_that_is_brought_back_may_speak_before_it_answers(talk: Talk) -> None:
    await open_session(talk, "s1")
    talk.adapter.answers[acp.SESSION_LOAD] = says({}, of_session("s5", message("again")))
    await asyncio.wait_for(talk.conversation.ask(acp.SESSION_LOAD, {"sessionId": "s5"}), 5)
    (said,) = [one for one in talk.entries if one.method == acp.SESSION_UPDATE]
    assert said.annotations is None


async def test_what_comes_after_the_end_of_a_turn_is_late(talk: Talk) -> None:
    id = talk.prompt()
    await talk.agent_writes(response(id, {"stopReason": "end_turn"}), message("ps"))
    late, completed = talk.entries[-2:]
    assert (late.turn_id, late.annotations) == ("turn_1", {"late": True})
    assert completed.method == "_sandbox_agent/message.completed"


# A disk that is full for a while


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "RETRY_EVERY_S", 0.002)


@pytest.mark.usefixtures("quick_retries")
async def test_an_agent_whose_frames_cannot_be_written_is_held_back_and_nothing_is_lost(
    talk: Talk, disk: Any
) -> None:
    id = talk.prompt()
    with disk.full():
        await talk.agent_writes(message("a"), message("b"))
        assert talk.adapter.is_paused
        talk.adapter.is_paused = False  # what was under way comes all the same
        await talk.agent_writes(message("c"))
        await talk.agent_writes(response(id, {"stopReason": "end_turn"}))
        talk.adapter.is_paused = True
        assert talk.log.last_seq == 2
        assert talk.answered == []
    await until(lambda: not talk.adapter.is_paused)
    assert shapes(talk.entries)[2:] == [
        "agent session/update",
        "agent session/update",
        "agent session/update",
        "server message.completed",
        "agent =session/prompt",
    ]
    assert talk.entries[-2].payload["params"]["content"] == [{"type": "text", "text": "abc"}]
    assert len(talk.answered) == 1
    talk.prompt("turn_2")
    await talk.agent_writes(message("d"))
    assert shapes(talk.entries)[-1] == "agent session/update"


async def test_a_deadline_does_not_overtake_a_batch_that_waits_for_the_disk(
    tmp_path: Path, disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StillClock(monkeypatch)
    talk = Talk(tmp_path, policy=PermissionPolicy(timeout_s=10))
    await talk.connect()
    await talk.asked(permission())
    with disk.full():
        await clock.move(9.9)
        await talk.agent_writes(message("a batch of the agent"))
    await clock.move(0.2)  # there is space, the deadline comes, the batch is not yet tried again
    assert talk.answers == []
    await clock.move(0.4)
    assert len(talk.entries) == 4
    await clock.move(2)
    assert shapes(talk.entries)[1:] == [
        "agent session/request_permission",
        "agent session/update",
        "server message.completed",
        "server =session/request_permission",
    ]
    monkeypatch.undo()
    await talk.close()


async def test_nothing_gets_in_between_a_batch_that_failed_and_its_next_try(
    talk: Talk, disk: Any
) -> None:
    talk.adapter.write(message("batch"))
    disk.takes_bytes = 0
    failed: list[object] = []

    def in_the_same_turn_of_the_loop() -> None:
        disk.takes_bytes = None
        with pytest.raises(StorageError):
            talk.conversation.send(notification("_acme/overtakes", {}))
        failed.append(True)

    asyncio.get_running_loop().call_soon(in_the_same_turn_of_the_loop)
    await until(lambda: talk.log.last_seq == 3)
    assert failed
    assert shapes(talk.entries)[1:] == ["agent session/update", "server message.completed"]


@pytest.mark.usefixtures("quick_retries")
async def test_an_agent_whose_frames_cannot_be_written_in_time_is_stopped(
    tmp_path: Path, disk: Any
) -> None:
    talk = Talk(tmp_path, storage_retry_s=0.005)
    await talk.connect()
    talk.adapter.answers["_acme/do"] = silence
    waiting = asyncio.ensure_future(talk.conversation.ask("_acme/do", {}))
    await asyncio.sleep(0)
    with disk.full():
        await talk.agent_writes(message("a"))
        with pytest.raises(StorageError):
            await asyncio.wait_for(waiting, 5)
    await until(lambda: talk.exits)
    assert talk.adapter.is_closed
    assert shapes(talk.entries)[1:] == ["client _acme/do"]
    await talk.close()


@pytest.mark.usefixtures("quick_retries")
async def test_after_a_batch_that_was_given_up_nothing_of_that_agent_is_logged(
    tmp_path: Path, disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Talk(tmp_path, storage_retry_s=0)
    await talk.connect()
    close = talk.adapter.close

    async def close_when_there_is_space() -> AgentExit:
        disk.takes_bytes = None
        return await close()

    monkeypatch.setattr(talk.adapter, "close", close_when_there_is_space)
    disk.takes_bytes = 0
    pause = talk.adapter.pause
    more = message("more, which is in the pipe")
    monkeypatch.setattr(talk.adapter, "pause", lambda: (pause(), talk.adapter.write(more)))
    talk.adapter.write(message("lost"))
    await until(lambda: talk.exits)
    assert talk.adapter.is_closed
    assert shapes(talk.entries)[1:] == []
    await talk.close()


# The end of the agent


async def test_a_dead_agent_fails_what_waits_and_takes_nothing_more(talk: Talk) -> None:
    talk.adapter.answers["_acme/do"] = silence
    asking = asyncio.ensure_future(talk.conversation.ask("_acme/do", {}))
    future = talk.conversation.send(request("c", "_acme/do", {}))
    await asyncio.sleep(0)
    talk.adapter.write(message("last words"))
    talk.adapter.die(3)
    for waits in (asking, future):
        assert waits is not None
        with pytest.raises(AgentProcessExited):
            await asyncio.wait_for(waits, 5)
    await until(lambda: talk.exits)
    assert talk.exits[0].exit_code == 3
    assert shapes(talk.entries)[-2:] == ["agent session/update", "server message.completed"]
    with pytest.raises(Unavailable):
        talk.conversation.send(request("d", "_acme/do", {}))
    await talk.connect(ScriptedAdapter({"_acme/do": {}}))
    again = talk.conversation.send(request("c", "_acme/do", {}))  # its id is free
    assert again is not None
    await asyncio.wait_for(again, 5)


@pytest.mark.usefixtures("quick_retries")
async def test_the_end_of_an_agent_is_told_after_all_that_it_wrote_is_in_the_log(
    talk: Talk, disk: Any
) -> None:
    told: list[int] = []
    talk.exits = told_exits = []  # type: ignore[assignment]
    gone = talk.agent_gone

    async def agent_gone(*args: Any) -> None:
        told.append(talk.log.last_seq)
        await gone(*args)

    talk.agent_gone = agent_gone  # type: ignore[method-assign]
    with disk.full():
        await talk.agent_writes(message("a"))
        talk.adapter.is_paused = False
        talk.adapter.die(0)
        await settled()
        assert told == []
        with pytest.raises(AgentProcessExited):
            talk.conversation.send(notification("_acme/x", {}))
    await until(lambda: told_exits)
    assert told == [3]


async def test_who_asks_an_agent_that_was_gone_before_it_was_connected_does_not_wait(
    tmp_path: Path,
) -> None:
    talk = Talk(tmp_path)
    connection = talk.connection_to(ScriptedAdapter())
    await connection.start()
    talk.adapter.die(2)
    await until(lambda: talk.exits)
    talk.conversation.connect(connection)
    with pytest.raises(AgentProcessExited) as caught:
        await asyncio.wait_for(talk.conversation.ask(acp.INITIALIZE, {}), 5)
    assert caught.value.details["exitCode"] == 2
    assert talk.log.last_seq == 1
    await talk.close()
