"""What goes through the bridge while connections come and go. The editor must not see that they do."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from sandbox_agent_client.acp_bridge.bridge import rewriting
from sandbox_agent_client.acp_bridge.exchange import Exchange

Frame = dict[str, Any]


class Ends:
    """An editor and a server that the test plays."""

    def __init__(self, **more: Any) -> None:
        ids = count(1)
        self.editor: list[Frame] = []
        self.server: list[Frame] = []
        self.exchange = Exchange(
            self.editor.append, make_id=lambda prefix: f"{prefix}_{next(ids)}", **more
        )

    def says(self, method: str, id: int | None = None, **params: Any) -> None:
        """The editor."""
        frame = {"method": method, "params": params} | ({} if id is None else {"id": id})
        self.exchange.from_editor(json.dumps(frame).encode())

    def connect(self) -> None:
        self.server.clear()
        self.exchange.connected(self.server.append)

    def answers(self, frame: Frame, result: Any = None, **error: Any) -> None:
        """The server."""
        body = {"error": error} if error else {"result": result or {}}
        self.exchange.from_server({"id": frame["id"], **body})

    def take(self, method: str) -> Frame:
        """The one that the server was sent."""
        (frame,) = [one for one in self.server if one.get("method") == method]
        self.server.remove(frame)
        return frame

    def come_back(self, *pending: str) -> None:
        """The connection is lost and made again; the session is resumed, with what is asked in it."""
        self.exchange.disconnected()
        self.connect()
        self.answers(self.take("initialize"))
        own = {"pending": [*pending]}
        self.answers(self.take("session/resume"), {"_meta": {"sandbox_agent": own}})

    def told(self) -> list[Frame]:
        told, self.editor[:] = [*self.editor], []
        return told


def own(frame: Frame) -> Frame:
    meta: Frame = frame["params"]["_meta"]["sandbox_agent"]
    return meta


def update(cursor: int, session: str = "s") -> Frame:
    meta = {"sandbox_agent": {"cursor": cursor}}
    return {"method": "session/update", "params": {"sessionId": session, "_meta": meta}}


def asks(id: int, request: str) -> Frame:
    meta = {"sandbox_agent": {"cursor": 1, "requestId": request}}
    params = {"sessionId": "s", "_meta": meta}
    return {"id": id, "method": "session/request_permission", "params": params}


@pytest.fixture
def ends() -> Ends:
    """With a session."""
    ends = Ends()
    ends.says("initialize", 0, protocolVersion=1, clientCapabilities={"fs": {}, "elicitation": {}})
    ends.connect()
    ends.answers(ends.take("initialize"), {"protocolVersion": 1})
    ends.says("session/new", 1, cwd="/w", mcpServers=[])
    ends.answers(ends.take("session/new"), {"sessionId": "s"})
    ends.told()
    return ends


def test_requests_wait_for_the_first_connection() -> None:
    ends = Ends()
    ends.says("initialize", 0, protocolVersion=1)
    ends.says("session/list", 1)
    assert ends.told() == []
    ends.connect()
    assert [one["method"] for one in ends.server] == ["initialize"]
    ends.answers(ends.take("initialize"))
    assert [one["method"] for one in ends.server] == ["session/list"]


def test_what_the_editor_can_do_on_its_machine_is_not_said_in_the_sandbox() -> None:
    ends = Ends()
    offered = {"fs": {"readTextFile": True}, "terminal": True, "elicitation": {"form": {}}}
    ends.says("initialize", 0, protocolVersion=1, clientCapabilities=offered)
    ends.connect()
    said = ends.take("initialize")["params"]["clientCapabilities"]
    assert said == {"elicitation": {"form": {}}}


def test_the_bridge_speaks_version_1_to_servers_that_know_another() -> None:
    for asked, said in ((2, 1), (1, 1), ("x", "x")):
        ends = Ends()
        ends.says("initialize", 0, protocolVersion=asked)
        ends.connect()
        assert ends.take("initialize")["params"]["protocolVersion"] == said


def test_a_prompt_in_flight_is_given_again_under_its_own_name(ends: Ends) -> None:
    ends.says("session/prompt", 2, sessionId="s", prompt=[])
    turn = own(ends.take("session/prompt"))["turnId"]
    ends.exchange.from_server(update(7))
    ends.exchange.disconnected()
    ends.connect()
    ends.answers(ends.take("initialize"))
    resume = ends.take("session/resume")
    assert own(resume) == {"cursor": 7, "turns": [turn]}
    assert resume["params"]["cwd"] == "/w"
    assert ends.server == []
    ends.answers(resume, {"_meta": {"sandbox_agent": {"pending": []}}})
    again = ends.take("session/prompt")
    assert own(again) == {"turnId": turn, "again": True}
    ends.answers(again, {"stopReason": "end_turn"})
    assert [one.get("id") for one in ends.told()] == [None, 2]


def test_what_is_said_meanwhile_goes_out_in_order_once_the_sessions_are_back(ends: Ends) -> None:
    ends.exchange.disconnected()
    ends.says("session/prompt", 2, sessionId="s", prompt=[])
    ends.says("session/cancel", sessionId="s")
    ends.connect()
    ends.answers(ends.take("initialize"))
    ends.answers(ends.take("session/resume"))
    assert [one["method"] for one in ends.server] == ["session/prompt", "session/cancel"]
    assert "again" not in own(ends.take("session/prompt"))


def test_a_question_is_shown_once_however_often_it_is_asked(ends: Ends) -> None:
    ends.exchange.from_server(asks(5, "req_1"))
    (shown,) = ends.told()
    ends.exchange.disconnected()
    ends.connect()
    ends.answers(ends.take("initialize"))
    ends.answers(ends.take("session/resume"), {"_meta": {"sandbox_agent": {"pending": ["req_1"]}}})
    ends.exchange.from_server(asks(0, "req_1"))
    assert ends.told() == []
    ends.exchange.from_editor(json.dumps({"id": shown["id"], "result": {"yes": 1}}).encode())
    assert ends.server == [{"id": 0, "result": {"yes": 1}}]


def test_an_answer_without_a_connection_is_given_when_the_question_comes_again(ends: Ends) -> None:
    ends.exchange.from_server(asks(5, "req_1"))
    (shown,) = ends.told()
    ends.exchange.disconnected()
    ends.exchange.from_editor(json.dumps({"id": shown["id"], "result": {"yes": 1}}).encode())
    ends.connect()
    ends.answers(ends.take("initialize"))
    ends.exchange.from_server(asks(3, "req_1"))
    ends.answers(ends.take("session/resume"), {"_meta": {"sandbox_agent": {"pending": ["req_1"]}}})
    assert ends.server == [{"id": 3, "result": {"yes": 1}}]
    assert ends.told() == []


def test_an_answer_that_got_lost_with_the_connection_is_given_again(ends: Ends) -> None:
    ends.exchange.from_server(asks(5, "req_1"))
    (shown,) = ends.told()
    answer = {"id": shown["id"], "result": {"yes": 1}}
    ends.exchange.from_editor(json.dumps(answer).encode())
    assert ends.server == [{"id": 5, "result": {"yes": 1}}]
    for id in (0, 3):  # lost twice
        ends.come_back("req_1")
        ends.exchange.from_server(asks(id, "req_1"))
        assert ends.server == [{"id": id, "result": {"yes": 1}}]
    ends.exchange.from_editor(json.dumps(answer | {"result": {"no": 1}}).encode())
    ends.come_back()
    assert (ends.server, ends.told()) == ([], [])


def test_a_question_is_not_withdrawn_by_the_id_of_another_connection(ends: Ends) -> None:
    ends.exchange.from_server(asks(0, "req_1"))
    ends.come_back("req_1")
    ends.exchange.from_server(asks(0, "req_2"))
    first, second = ends.told()
    ends.exchange.from_server({"method": "$/cancel_request", "params": {"requestId": 0}})
    assert [one["params"]["requestId"] for one in ends.told()] == [second["id"]]
    ends.exchange.from_server(asks(1, "req_1"))
    ends.exchange.from_editor(json.dumps({"id": first["id"], "result": {}}).encode())
    assert ends.server == [{"id": 1, "result": {}}]


def test_what_is_asked_while_a_session_is_resumed_stays_open(ends: Ends) -> None:
    ends.exchange.disconnected()
    ends.connect()
    ends.answers(ends.take("initialize"))
    ends.exchange.from_server(asks(0, "req_new"))
    ends.answers(ends.take("session/resume"), {"_meta": {"sandbox_agent": {"pending": []}}})
    assert [one["method"] for one in ends.told()] == ["session/request_permission"]


def test_answers_that_were_given_are_not_kept_for_ever(ends: Ends) -> None:
    for number in range(300):
        ends.exchange.from_server(asks(number, f"req_{number}"))
        ends.exchange.from_editor(json.dumps({"id": number, "result": {}}).encode())
    ends.told()
    ends.come_back("req_0", "req_299")
    for number in (0, 299):
        ends.exchange.from_server(asks(number, f"req_{number}"))
    assert ends.server == [{"id": 299, "result": {}}]
    assert len(ends.told()) == 1


def test_a_question_that_was_answered_elsewhere_is_withdrawn(ends: Ends) -> None:
    for request, server_id in (("req_1", 5), ("req_2", 6)):
        ends.exchange.from_server(asks(server_id, request))
    first, second = ends.told()
    cancel = {"method": "$/cancel_request", "params": {"requestId": 5}}
    ends.exchange.from_server(cancel)
    ends.exchange.disconnected()
    ends.connect()
    ends.answers(ends.take("initialize"))
    ends.answers(ends.take("session/resume"), {"_meta": {"sandbox_agent": {"pending": []}}})
    withdrawn = [one["params"]["requestId"] for one in ends.told()]
    assert withdrawn == [first["id"], second["id"]]


def test_a_cancellation_that_may_have_got_lost_is_given_again(ends: Ends) -> None:
    for id in (2, 3):
        ends.says("session/prompt", id, sessionId="s", prompt=[])
    ends.says("session/cancel", sessionId="s")
    ends.says("session/list", 4)
    ends.says("$/cancel_request", requestId=4)
    ends.come_back()
    said = [one["method"] for one in ends.server]
    prompts = ["session/prompt", "session/prompt"]
    assert said == [*prompts, "session/list", "session/cancel", "$/cancel_request"]
    ends.answers(ends.server[0], {"stopReason": "cancelled"})
    ends.says("session/prompt", 5, sessionId="s", prompt=[])
    ends.come_back()
    said = [one["method"] for one in ends.server]
    assert said == ["session/prompt", "session/list", "session/prompt", "$/cancel_request"]


def test_a_session_that_was_made_before_its_answer_got_lost_is_that_session(ends: Ends) -> None:
    ends.says("session/new", 2, cwd="/w", mcpServers=[])
    made = own(ends.take("session/new"))["sessionId"]
    ends.exchange.disconnected()
    ends.connect()
    ends.answers(ends.take("initialize"))
    ends.answers(ends.take("session/resume"))
    again = ends.take("session/new")
    assert own(again)["sessionId"] == made
    ends.answers(again, code=-32603, message="", data={"code": "session_already_exists"})
    load = ends.take("session/load")
    assert load["params"]["sessionId"] == made
    ends.answers(load, {"sessionId": made, "modes": {}})
    assert ends.told() == [{"id": 2, "result": {"sessionId": made, "modes": {}}}]


def test_a_session_that_is_gone_fails_what_was_asked_of_it_and_nothing_else(ends: Ends) -> None:
    ends.says("session/prompt", 2, sessionId="s", prompt=[])
    ends.says("session/list", 3)
    ends.exchange.from_server(asks(5, "req_1"))
    (question,) = ends.told()
    ends.exchange.disconnected()
    ends.connect()
    ends.answers(ends.take("initialize"))
    ends.answers(ends.take("session/resume"), code=-32002, message="gone")
    withdrawn, failed = ends.told()
    assert withdrawn["params"] == {"requestId": question["id"]}
    assert (failed["id"], failed["error"]["code"]) == (2, -32002)
    assert [one["method"] for one in ends.server] == ["session/list"]


def test_when_there_is_no_way_back_everything_that_waits_is_told(ends: Ends) -> None:
    ends.says("session/prompt", 2, sessionId="s", prompt=[])
    ends.exchange.disconnected()
    ends.exchange.fail("the sandbox is gone", code="sandbox_not_found")
    (answer,) = ends.told()
    assert (answer["id"], answer["error"]["message"]) == (2, "the sandbox is gone")
    assert answer["error"]["data"] == {"code": "sandbox_not_found"}


@pytest.mark.parametrize("line", [b"{", b"\xff", b"[" * 100_000])
def test_a_line_that_is_no_json_is_answered(ends: Ends, line: bytes) -> None:
    ends.exchange.from_editor(line)
    assert [(one["id"], one["error"]["code"]) for one in ends.told()] == [(None, -32700)]
    assert ends.server == []


def test_an_initialize_that_was_refused_may_be_tried_again() -> None:
    ends = Ends()
    ends.says("initialize", 0)
    ends.connect()
    ends.answers(ends.take("initialize"), code=-32602, message="no version")
    ends.says("initialize", 1, protocolVersion=1)
    ends.answers(ends.take("initialize"))
    assert [one["id"] for one in ends.told()] == [0, 1]


@pytest.mark.parametrize(
    ("is_local", "cwd", "expected"),
    [(True, None, "/editor"), (True, "/given", "/given"), (False, "/given", "/given")],
)
def test_the_directory_is_the_editors_on_this_machine_and_else_what_is_given(
    is_local: bool, cwd: str | None, expected: str
) -> None:
    rewrite = rewriting(cwd=cwd, is_local=is_local)
    assert rewrite("session/new", {"cwd": "/editor"})["cwd"] == expected


def test_a_directory_of_the_editors_machine_is_not_looked_for_in_a_sandbox() -> None:
    rewrite = rewriting(cwd=None, is_local=False, session={"env": {"A": "b"}})
    params = {"cwd": "/editor", "additionalDirectories": ["/more"], "mcpServers": []}
    own = {"sandbox_agent": {"session": {"env": {"A": "b"}}}}
    assert rewrite("session/new", params) == {"mcpServers": [], "_meta": own}
    assert rewrite("session/prompt", {"cwd": "kept"}) == {"cwd": "kept"}
