"""What a session can be asked beside prompts, over HTTP: of an agent that can it all, and of one that knows ACP alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.server import ServerProcess, until

PLAIN = f"""
[agents.plain]
command = ["{sys.executable}", "-m", "sandbox_agent_server.agents.mock", "--plain"]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server"), config=PLAIN).start()
    yield process
    process.stop()


class Session:
    def __init__(self, server: ServerProcess, client: httpx.Client, id: str) -> None:
        self.server, self.client, self.id = server, client, id

    def post(self, verb: str, **body: Any) -> httpx.Response:
        params = {"wait": "true"} if body.pop("wait", False) else {}
        return self.client.post(f"/v1/sessions/{self.id}/{verb}", params=params, json=body)

    def prompt(self, text: str) -> str:
        """Its turn, which is over."""
        return str(self.server.prompt(self.id, text)["turnId"])

    def info(self) -> Any:
        return self.client.get(f"/v1/sessions/{self.id}").json()

    def transcript(self) -> Any:
        return self.client.get(f"/v1/sessions/{self.id}/transcript").json()

    def said(self, turn_id: str) -> str:
        """So far: nothing, as long as it has not begun."""
        turns = [turn for turn in self.transcript()["turns"] if turn.get("id") == turn_id]
        items = [item for turn in turns for item in turn["items"]]
        return "".join(item["text"] for item in items if item["type"] == "message")

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        return self.server.events(self.id, *kinds)

    def methods(self) -> list[str]:
        """Of what was asked of the agent."""
        entries = self.server.entries(self.id)
        calls = [entry["payload"] for entry in entries if entry["sender"] == "client"]
        return [call["method"] for call in calls if "method" in call]

    def is_waiting(self, turn_id: str) -> None:
        """Until the agent has said something in it."""
        until(lambda: any(event.get("turnId") == turn_id for event in self.events("message.delta")))


Make = Callable[..., Session]


@pytest.fixture
def make(server: ServerProcess) -> Iterator[Make]:
    with server.client() as client:
        made: list[str] = []

        def make(agent: str = "mock", **body: Any) -> Session:
            made.append(server.create(agent, **body))
            return Session(server, client, made[-1])

        yield make
        for session in client.get("/v1/sessions").json()["sessions"]:
            client.delete(f"/v1/sessions/{session['id']}")


# Steering


def test_what_is_said_into_a_turn_is_in_that_turn(make: Make) -> None:
    session = make()
    turn_id = session.post("prompt", text="wait").json()["turnId"]
    session.is_waiting(turn_id)
    steered = session.post("steer", text="go on").json()
    assert (steered["how"], steered["turnId"]) == ("steered", turn_id)
    until(lambda: session.info()["status"] == "idle")
    (event,) = session.events("turn.steered")
    assert (event["turnId"], event["data"]["text"]) == (turn_id, "go on")
    assert event["seq"] > steered["seq"]
    assert "You said meanwhile: go on" in session.said(turn_id)
    (turn,) = session.transcript()["turns"][-1:]
    assert [one["content"] for one in turn["steered"]] == [[{"type": "text", "text": "go on"}]]


def test_without_a_turn_it_begins_one(make: Make) -> None:
    session = make()
    steered = session.post("steer", text="text").json()
    assert (steered["how"], steered["position"]) == ("started", 0)
    until(lambda: session.said(steered["turnId"]).startswith("The quick"))
    assert session.events("turn.steered") == []


def test_an_agent_that_cannot_be_steered_is_told_afterwards(make: Make) -> None:
    session = make("plain")
    turn_id = session.post("prompt", text="permission").json()["turnId"]
    until(lambda: session.info()["pendingRequests"])
    steered = session.post("steer", text="and then text").json()
    assert (steered["how"], steered["position"]) == ("queued", 1)
    assert steered["turnId"] != turn_id
    session.post("cancel", turnId=turn_id)
    until(lambda: session.said(steered["turnId"]) == "You said: and then text")


# Compacting and reviewing


def test_compacting_is_a_turn_that_says_what_it_did(make: Make) -> None:
    session = make()
    session.prompt("text")
    done = session.post("compact", instructions="keep the plan", wait=True).json()
    assert done["stopReason"] == "end_turn"
    (compacted,) = session.events("context.compacted")
    assert compacted["turnId"] == done["turnId"]
    assert compacted["data"]["summary"] == "1 prompts; keep the plan"
    started = session.events("turn.started")[-1]["data"]
    assert (started["origin"], started["text"]) == ("compact", "/compact keep the plan")


def test_operations_wait_for_their_turn_as_prompts_do(make: Make) -> None:
    session = make()
    turn_id = session.post("prompt", text="wait").json()["turnId"]
    accepted = session.post("compact")
    assert (accepted.status_code, accepted.json()["position"]) == (202, 1)
    assert session.events("turn.queued")[-1]["data"]["origin"] == "compact"
    session.is_waiting(turn_id)
    session.post("steer", text="go on")
    until(lambda: len(session.events("turn.ended")) == 2)
    assert len(session.events("context.compacted")) == 1


def test_a_slash_command_is_the_operation_and_no_prompt(make: Make) -> None:
    session = make()
    session.prompt("/compact the plan")
    session.prompt("/review branch main")
    session.prompt("/compactly said")
    assert session.methods()[-3:] == [
        "_sandbox_agent/session.compact",
        "_sandbox_agent/session.review",
        "session/prompt",
    ]
    assert [event["data"]["origin"] for event in session.events("turn.started")[:2]] == [
        "compact",
        "review",
    ]


def test_every_agent_offers_the_commands_that_it_has(make: Make) -> None:
    names = {
        agent: [command["name"] for command in make(agent).transcript()["commands"]]
        for agent in ("mock", "plain")
    }
    assert names["mock"][-2:] == ["compact", "review"]
    assert "compact" not in names["plain"]
    assert names["plain"][-1] == "review"


def test_an_agent_that_cannot_compact_is_named_with_what_to_do(make: Make) -> None:
    session = make("plain")
    refused = session.post("compact")
    assert refused.status_code == 409
    problem = refused.json()
    assert problem["type"].endswith(":operation_not_supported")
    assert problem["details"] == {"agent": "plain", "operation": "compact"}
    # What nobody here knows is for the agent to know.
    session.prompt("/compact")
    assert session.methods()[-1] == "session/prompt"


def test_a_review_is_the_agents_own_or_is_asked_for_in_words(make: Make) -> None:
    own = make()
    target = {"type": "commit", "sha": "abc123"}
    turn_id = own.post("review", target=target, wait=True).json()["turnId"]
    assert own.said(turn_id).startswith("I looked at commit abc123.")
    words = make("plain")
    accepted = words.post("review", target=target)
    assert accepted.json()["emulated"] is True
    until(lambda: words.events("turn.ended"))
    started = words.events("turn.started")[-1]["data"]
    assert (started["origin"], started["emulated"]) == ("review", True)
    assert "commit `abc123`" in started["text"]
    assert own.post("review", target={"type": "commit"}).status_code == 400


# Forking


def test_a_fork_is_a_copy_of_the_agents_own_memory(make: Make) -> None:
    session = make(mode="bypass", metadata={"ticket": 7})
    session.prompt("text")
    made = session.post("fork", title="Another way")
    assert made.status_code == 201
    info = made.json()
    assert (info["title"], info["mode"], info["metadata"]) == (
        "Another way",
        "bypass",
        {"ticket": 7},
    )
    fork = Session(session.server, session.client, info["id"])
    origin = info["forkedFrom"]
    assert (origin["how"], origin["sessionId"], origin["prompts"]) == ("native", session.id, 1)
    assert "session/fork" in fork.methods()
    (created,) = fork.events("session.created")
    assert created["data"]["forkedFrom"] == origin
    turn_id = fork.prompt("history")
    agent_session_id = session.info()["agentSessionId"]
    assert f"a fork of {agent_session_id}." in fork.said(turn_id)
    assert fork.transcript()["turns"][-1]["prompt"] == [{"type": "text", "text": "history"}]
    # It remembers by itself: nothing was told to it.
    prompt = next(e for e in fork.server.entries(fork.id) if e.get("method") == "session/prompt")
    assert len(prompt["payload"]["params"]["prompt"]) == 1


def test_a_fork_begins_before_the_turn_that_is_named(make: Make) -> None:
    session = make()
    turns = [session.prompt("text") for _ in range(3)]
    info = session.post("fork", beforeTurnId=turns[1]).json()
    assert info["forkedFrom"]["beforeTurnId"] == turns[1]
    fork = Session(session.server, session.client, info["id"])
    assert "before prompt 1" in fork.said(fork.prompt("history"))
    # What it inherits counts: its own first prompt is the second that its agent knows.
    again = fork.post("fork", beforeTurnId=fork.transcript()["turns"][-1]["id"]).json()
    assert again["forkedFrom"]["prompts"] == 1
    assert session.post("fork", beforeTurnId="turn_nope").status_code == 400


def test_while_a_turn_runs_a_fork_has_what_was_before(make: Make) -> None:
    session = make()
    session.prompt("text")
    running = session.post("prompt", text="wait").json()["turnId"]
    session.is_waiting(running)
    origin = session.post("fork").json()["forkedFrom"]
    assert (origin["beforeTurnId"], origin["prompts"], origin["how"]) == (running, 1, "native")
    session.post("cancel")


def test_an_agent_that_cannot_fork_is_given_the_transcript(make: Make) -> None:
    session = make("plain")
    turns = [session.prompt(f"say number {number}") for number in range(2)]
    session.client.delete(f"/v1/sessions/{session.id}")
    info = session.post("fork", beforeTurnId=turns[1]).json()
    assert info["forkedFrom"]["how"] == "transcript"
    fork = Session(session.server, session.client, info["id"])
    fork.prompt("hello")
    prompt = next(e for e in fork.server.entries(fork.id) if e.get("method") == "session/prompt")
    context, typed = prompt["payload"]["params"]["prompt"]
    assert "say number 0" in context["text"]
    assert "say number 1" not in context["text"]
    assert typed["text"] == "hello"


def test_a_fork_elsewhere_is_given_the_transcript(make: Make, tmp_path: Path) -> None:
    session = make()
    session.prompt("text")
    info = session.post("fork", cwd=str(tmp_path)).json()
    assert info["cwd"] == str(tmp_path)
    assert info["forkedFrom"]["how"] == "transcript"
    assert info["forkedFrom"]["reason"] == "it is in another workspace"


# Going back


def test_going_back_forgets_turns_and_puts_files_back(make: Make) -> None:
    session = make()
    kept, edited, last = (session.prompt(text) for text in ("text", "edit", "text"))
    dry = session.post("rewind", turnId=edited, dryRun=True).json()
    assert (dry["turnIds"], dry["dryRun"], dry["how"]) == ([edited, last], True, "native")
    assert session.events("session.rewound") == []
    done = session.post("rewind", turnId=edited).json()
    assert done["filesChanged"] == dry["filesChanged"]
    assert len(done["filesChanged"]) == 1
    (event,) = session.events("session.rewound")
    assert event["data"]["turnIds"] == [edited, last]
    marks = {
        turn["id"]: turn.get("rewound") for turn in session.transcript()["turns"] if "id" in turn
    }
    assert marks == {kept: None, edited: True, last: True}
    assert session.said(session.prompt("history")).endswith("0. text")
    assert session.post("rewind", turnId=edited).status_code == 400


def test_without_a_turn_it_goes_back_before_the_last_one(make: Make) -> None:
    session = make()
    turns = [session.prompt("text") for _ in range(2)]
    for expected in reversed(turns):
        assert session.post("rewind").json()["turnIds"] == [expected]
    assert session.post("rewind").status_code == 400


def test_an_agent_that_cannot_forget_begins_anew_with_the_transcript(make: Make) -> None:
    session = make("plain")
    session.prompt("say this")
    session.prompt("not that")
    refused = session.post("rewind")
    assert refused.status_code == 409
    assert "`files` false" in refused.json()["detail"]
    done = session.post("rewind", files=False).json()
    assert done["how"] == "transcript"
    session.prompt("hello")
    assert session.info()["continuity"] == "replayed"
    prompt = [e for e in session.server.entries(session.id) if e.get("method") == "session/prompt"
              and e["sender"] == "client"][-1]  # fmt: skip
    context, typed = prompt["payload"]["params"]["prompt"]
    assert "say this" in context["text"]
    assert "not that" not in context["text"]
    assert typed["text"] == "hello"


def test_nobody_goes_back_while_the_agent_is_at_work(make: Make) -> None:
    session = make()
    session.prompt("text")
    session.post("prompt", text="wait")
    assert session.post("rewind").status_code == 409
    session.post("cancel")


# Titles


def test_a_session_has_the_title_that_it_was_given(make: Make) -> None:
    session = make(title="Parser")
    assert session.info()["title"] == "Parser"
    assert "It is called Parser." in session.said(session.prompt("history"))
    patched = session.client.patch(f"/v1/sessions/{session.id}", json={"title": "Lexer"})
    assert patched.json()["title"] == "Lexer"
    assert session.transcript()["title"] == "Lexer"
    assert "It is called Lexer." in session.said(session.prompt("history"))
    listed = session.client.get("/v1/sessions").json()["sessions"]
    assert {one["id"]: one.get("title") for one in listed}[session.id] == "Lexer"


def test_a_title_is_kept_where_the_agent_has_none(make: Make) -> None:
    session = make("plain", title="Parser")
    assert session.info()["title"] == "Parser"
    assert "_sandbox_agent/session.rename" not in session.methods()
    cleared = session.client.patch(f"/v1/sessions/{session.id}", json={"title": ""}).json()
    assert "title" not in cleared


# The agent's own protocol


def test_a_native_request_is_answered_and_recorded(make: Make) -> None:
    session = make()
    answer = session.post("native", method="echo", params={"a": 1})
    assert answer.json() == {
        "result": {"echo": {"a": 1}, "sessionId": session.info()["agentSessionId"]}
    }
    assert session.methods()[-1] == "_sandbox_agent/session.native"
    failed = session.post("native", method="fail")
    assert failed.status_code == 502
    assert failed.json()["details"]["agentCode"] == -32042


def test_a_request_of_acp_reaches_an_acp_agent_unless_it_is_for_the_server(make: Make) -> None:
    session = make("plain")
    unknown = session.post("native", method="session/list")
    assert (unknown.status_code, unknown.json()["details"]["agentCode"]) == (502, -32601)
    for method in ("session/prompt", "session/new", "_sandbox_agent/session.compact"):
        assert session.post("native", method=method).status_code == 400


def test_only_an_administrator_may_speak_to_the_agent_itself(make: Make) -> None:
    session = make()
    wanted = {"actor": "ann", "scopes": ["prompt", "answer"]}
    token = session.client.post("/v1/tokens", json=wanted).json()["token"]
    body = {"method": "echo", "params": {}}
    path = f"/v1/sessions/{session.id}/native"
    headers = {"authorization": f"Bearer {token}"}
    assert session.client.post(path, json=body, headers=headers).status_code == 403


def test_a_native_answer_is_bounded(make_server: Any) -> None:
    limits = ["--limit", "max_native_bytes=2048", "--limit", "native_timeout_s=0.2"]
    server = make_server(arguments=limits).start()
    session_id = server.create()
    with server.client() as client:
        session = Session(server, client, session_id)
        large = session.post("native", method="size", params={"bytes": 4000})
        assert (large.status_code, large.json()["details"]["limit"]) == (413, "max_native_bytes")
        silent = session.post("native", method="silence")
        assert (silent.status_code, silent.json()["details"]["limit"]) == (504, "native_timeout_s")
        assert session.post("native", method="echo").status_code == 200
