"""Grok's, Kimi's and Vibe's tool calls, as recorded, in the words of other agents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox_agent_core.spi.agent import WireFrame
from sandbox_agent_server.agents.acp.normalising import Normaliser
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.grok.calls import GrokToolCalls
from sandbox_agent_server.agents.known.kimi.calls import KimiToolCalls
from sandbox_agent_server.agents.known.retold_calls import MAX_OPEN_CALLS
from sandbox_agent_server.agents.known.vibe import VibeToolCalls

GROK_SHELL = {"x.ai/tool": {"version": 1, "name": "run_terminal_command", "kind": "execute"}}
GROK_WRITE = {"x.ai/tool": {"version": 1, "name": "write", "kind": "write"}}


def text(said: str) -> dict[str, Any]:
    return {"type": "content", "content": {"type": "text", "text": said}}


def update(**fields: Any) -> WireFrame:
    fields = {"sessionUpdate": "tool_call_update", "toolCallId": "c1", **fields}
    params = {"sessionId": "s", "update": fields}
    return wire({"jsonrpc": "2.0", "method": "session/update", "params": params})


def asks(**call: Any) -> WireFrame:
    options = [{"optionId": "always-allow", "name": "Yes, always", "kind": "allow_always"}]
    params = {"sessionId": "s", "toolCall": {"toolCallId": "c1", **call}, "options": options}
    return wire(
        {"jsonrpc": "2.0", "id": 0, "method": "session/request_permission", "params": params}
    )


def retold(calls: Normaliser, *frames: WireFrame) -> list[dict[str, Any]]:
    """The updates and the calls of permissions."""
    made = []
    for each in calls.incoming(list(frames)):
        assert json.loads(each.raw) == each.frame
        params = each.frame["params"]
        made.append(params.get("update") or params["toolCall"])
    return made


def test_vibes_permission_has_what_was_told_of_its_call() -> None:
    begun = update(
        sessionUpdate="tool_call", title="bash: touch made", kind="execute", status="in_progress",
        rawInput={"command": "touch made"}, _meta={"tool_name": "bash"},
    )  # fmt: skip
    change = {"type": "diff", "path": "/w/new.txt", "newText": "hello\n"}
    written = update(
        sessionUpdate="tool_call", title="Writing new.txt", kind="edit", content=[change],
        locations=[{"path": "/w/new.txt"}], _meta={"tool_name": "write_file"},
    )  # fmt: skip

    shell, asked = retold(VibeToolCalls(), begun, asks())
    _, edit = retold(VibeToolCalls(), written, asks())

    assert (shell["title"], shell["name"]) == ("touch made", "bash")
    assert (asked["title"], asked["kind"]) == ("touch made", "execute")
    assert asked["rawInput"] == {"command": "touch made"}
    assert edit["content"] == [change]
    assert edit["locations"] == [{"path": "/w/new.txt"}]


def test_vibes_output_is_shown_and_a_silent_command_shows_none() -> None:
    output = {"stdout": "out\n", "stderr": "err\n", "output": "", "truncated": False}
    loud, silent = (
        retold(VibeToolCalls(), update(kind="execute", status="completed", rawOutput=raw))[0]
        for raw in (output, {"stdout": "", "stderr": ""})
    )

    assert loud["content"] == [text("out\n"), text("err\n")]
    assert silent["content"] == []


def test_kimis_arguments_are_no_output_and_its_permission_is_no_sentence() -> None:
    command = {"command": "touch made", "description": "Run it"}
    frames = [
        update(sessionUpdate="tool_call", title="Bash", kind="execute", status="pending", content=[text("")]),
        update(status="in_progress", content=[text('{"command": "touch m')]),
        update(status="in_progress", content=[text(json.dumps(command))]),
        asks(title="Bash", content=[text("Requesting approval to Running: touch made")]),
    ]  # fmt: skip

    begun, piece, whole, asked = retold(KimiToolCalls(), *frames)

    assert begun["name"] == "Bash"
    assert "content" not in begun | piece | whole
    assert whole["title"] == asked["title"] == "touch made"
    assert whole["rawInput"] == asked["rawInput"] == command
    assert asked["kind"] == "execute"
    assert "content" not in asked


def test_kimis_written_file_is_a_change() -> None:
    arguments = {"path": "/w/new.txt", "content": "hello\n"}
    frames = [
        update(sessionUpdate="tool_call", title="Write", kind="edit", status="pending"),
        update(status="in_progress", content=[text(json.dumps(arguments))]),
        asks(title="Write"),
    ]

    _, whole, asked = retold(KimiToolCalls(), *frames)

    change = {"type": "diff", "path": "/w/new.txt", "newText": "hello\n"}
    assert whole["content"] == asked["content"] == [change]
    assert whole["locations"] == asked["locations"] == [{"path": "/w/new.txt"}]


@pytest.mark.parametrize(
    ("said", "stdout", "code"),
    [
        ("hi\nerr\n", "hi\nerr\n", 0),
        ("Command executed successfully.", "", 0),
        ("goodbye\nCommand failed with exit code: 3.", "goodbye", 3),
        ("Command failed with exit code: 127.", "", 127),
    ],
)
def test_kimis_output_is_told_apart_from_what_it_says_of_it(
    said: str, stdout: str, code: int
) -> None:
    begun = update(sessionUpdate="tool_call", title="Bash", kind="execute", status="pending")
    over = update(status="completed", rawOutput=said, content=[text(said)])

    _, ended = retold(KimiToolCalls(), begun, over)

    assert ended["rawOutput"] == {"stdout": stdout, "exitCode": code}
    assert ended["content"] == ([text(stdout)] if stdout else [])


def test_groks_call_has_its_kind_and_name_at_once_and_the_command_as_its_title() -> None:
    raw = {"command": "touch made", "description": "Run it"}
    frames = [
        update(sessionUpdate="tool_call", title="run_terminal_command", rawInput=raw, _meta=GROK_SHELL),
        update(kind="execute", title="Execute `touch made`", content=[text("Run it")], rawInput=raw),
        asks(kind="execute", title="Execute `touch made`", rawInput=raw),
    ]  # fmt: skip

    begun, described, asked = retold(GrokToolCalls(), *frames)

    assert (begun["kind"], begun["name"]) == ("execute", "run_terminal_command")
    assert {each["title"] for each in (begun, described, asked)} == {"touch made"}
    assert "content" not in described


def test_a_command_of_groks_that_failed_has_failed() -> None:
    output = {"type": "Bash", "output": [104, 105, 10], "exit_code": 3, "command": "x"}
    running, ended = retold(
        GrokToolCalls(),
        update(status="in_progress", rawOutput={**output, "exit_code": 0}),
        update(status="completed", rawOutput=output),
    )

    assert running["rawOutput"] == {"stdout": "hi\n"}
    assert ended["status"] == "failed"
    assert ended["rawOutput"] == {"stdout": "hi\n", "exitCode": 3}
    assert ended["content"] == [text("hi\n")]


def test_groks_new_file_has_no_old_text() -> None:
    change = {"type": "diff", "path": "/w/new.txt", "oldText": "", "newText": "hello\n"}
    told, asked = retold(
        GrokToolCalls(),
        update(kind="edit", content=[change], _meta=GROK_WRITE),
        asks(kind="edit", title="Write"),
    )

    new = {"type": "diff", "path": "/w/new.txt", "newText": "hello\n"}
    assert told["content"] == asked["content"] == [new]


def test_what_grok_says_of_errors_usage_and_lasting_answers_is_where_others_say_it() -> None:
    error = {"code": -32003, "message": "Rate limited", "data": "API error (status 429)"}
    usage = {"inputTokens": 200, "outputTokens": 40, "totalTokens": 240, "modelCalls": 2}
    failed, ended, asked = GrokToolCalls().incoming(
        [
            wire({"jsonrpc": "2.0", "id": 1, "error": error}),
            wire({"jsonrpc": "2.0", "id": 2, "result": {"stopReason": "end_turn", "_meta": {"usage": usage}}}),
            asks(),
        ]
    )  # fmt: skip

    assert failed.frame["error"]["message"] == "Rate limited: API error (status 429)"
    assert ended.frame["result"]["usage"] == {
        "inputTokens": 200, "outputTokens": 40, "totalTokens": 240,
    }  # fmt: skip
    assert asked.frame["params"]["options"][0]["name"] == "Yes, always (in this project)"


@pytest.mark.parametrize("make", [GrokToolCalls, KimiToolCalls, VibeToolCalls])
@pytest.mark.parametrize("junk", [None, 7, "x", [], {}, {"update": None}, {"toolCall": 3}])
def test_junk_passes(make: type[Normaliser], junk: Any) -> None:
    frames = [
        wire({"jsonrpc": "2.0", "method": "session/update", "params": junk}),
        wire({"jsonrpc": "2.0", "id": 1, "result": junk}),
        wire({"jsonrpc": "2.0", "method": "_x.ai/queue/changed", "params": junk}),
        update(sessionUpdate="tool_call", rawInput=junk, content=junk, _meta=junk, status=junk),
    ]
    assert len(make().incoming(frames)) == len(frames)


def test_calls_that_never_end_are_forgotten() -> None:
    calls = VibeToolCalls()
    for number in range(MAX_OPEN_CALLS + 1):
        calls.incoming([update(toolCallId=f"n{number}", kind="execute", title="x")])

    oldest, newest = retold(calls, asks(toolCallId="n0"), asks(toolCallId=f"n{MAX_OPEN_CALLS}"))

    assert "kind" not in oldest
    assert newest["kind"] == "execute"
