"""Qwen's frames (0.24), as it wrote them, in the words of everybody."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.frames.jsonrpc import notification, request, response
from sandbox_agent_server.agents.acp.normalising import Normaliser
from sandbox_agent_server.agents.acp.reading import wire
from sandbox_agent_server.agents.known.qwen.calls import QwenCalls
from sandbox_agent_server.agents.known.qwen.questions import QwenQuestions
from sandbox_agent_server.agents.known.qwen.steering import QwenSteering
from sandbox_agent_server.agents.known.qwen.tasks import QwenTasks
from sandbox_agent_server.agents.known.qwen.turns import QwenTurns
from sandbox_agent_server.agents.known.qwen.usage import QwenUsage

STEER = "_sandbox_agent/session.steer"
ASKS = "craft/drainMidTurnQueue"
PROMPT = request(1, "session/prompt", {"sessionId": "s"})
ENDED = response(1, {"stopReason": "end_turn"})
OPTIONS = [
    {"optionId": "proceed_once", "kind": "allow_once", "name": "Submit"},
    {"optionId": "cancel", "kind": "reject_once", "name": "Cancel"},
]


def update(kind: str, /, **fields: Any) -> dict[str, Any]:
    params = {"sessionId": "s", "update": {"sessionUpdate": kind, **fields}}
    return notification("session/update", params)


def call(kind: str, /, **fields: Any) -> dict[str, Any]:
    meta = {"toolName": "run_shell_command", **fields.pop("_meta", {})}
    return update(kind, toolCallId="c", kind="execute", _meta=meta, **fields)


def through(normaliser: Normaliser, *frames: dict[str, Any]) -> list[dict[str, Any]]:
    return [each.frame for each in normaliser.incoming([wire(frame) for frame in frames])]


def updates(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        frame["params"]["update"] for frame in frames if frame.get("method") == "session/update"
    ]


PREPARING = call(
    "tool_call", title="Shell", rawInput={}, status="pending", _meta={"phase": "preparing"}
)
COMMAND = {"command": "touch x", "description": "Make a file"}


def test_a_call_is_told_when_it_is_known_what_it_is_with_the_permission() -> None:
    asked = {
        "toolCallId": "c",
        "title": "touch x (Make a file)",
        "kind": "execute",
        "rawInput": COMMAND,
    }
    params = {"sessionId": "s", "toolCall": asked, "options": OPTIONS}
    told = through(QwenCalls(), PREPARING, request(0, "session/request_permission", params))

    assert [frame["method"] for frame in told] == [
        "_qwencode/tool_call.preparing",
        "session/update",
        "session/request_permission",
    ]
    (begun,) = updates(told)
    assert (begun["sessionUpdate"], begun["title"], begun["rawInput"]) == (
        "tool_call",
        "touch x",
        COMMAND,
    )
    assert told[-1]["params"]["toolCall"]["title"] == "touch x"


@pytest.mark.parametrize("status", ["in_progress", "completed"])
def test_a_call_is_told_when_it_is_known_what_it_is_without_one(status: str) -> None:
    more = call("tool_call_update", title="touch x (…)", rawInput=COMMAND, status=status)
    told = updates(through(QwenCalls(), PREPARING, more, more))

    assert [one["sessionUpdate"] for one in told] == ["tool_call"] + ["tool_call_update"] * (
        len(told) - 1
    )
    assert len(told) == (2 if status == "in_progress" else 3)
    assert {one["title"] for one in told} == {"touch x"}
    assert told[0]["status"] == ("in_progress" if status == "in_progress" else "pending")


@pytest.mark.parametrize(("output", "code"), [("out\nerr", 3), ("", 0)])
def test_what_a_command_came_to_is_told_without_the_words_for_the_model(
    output: str, code: int
) -> None:
    result = {
        "type": "shell_result",
        "text": output,
        "output": output,
        "exitCode": code,
        "error": None,
    }
    text = {"type": "content", "content": {"type": "text", "text": "Command: x\nDirectory: (root)"}}
    (told,) = updates(
        through(
            QwenCalls(), call("tool_call_update", status="failed", rawOutput=result, content=[text])
        )
    )
    assert told["rawOutput"] == {"stdout": output, "exitCode": code}
    assert [item["content"]["text"] for item in told["content"]] == ([output] if output else [])


def test_a_new_file_has_no_old_text() -> None:
    diff = {"type": "diff", "path": "/a", "oldText": "", "newText": "b"}
    (told,) = updates(
        through(QwenCalls(), call("tool_call", content=[diff], _meta={"toolName": "write_file"}))
    )
    assert "oldText" not in told["content"][0]
    assert told["content"][0]["_meta"]["sandbox_agent"] == {"isWholeFile": True}


def empty(tokens: int) -> dict[str, Any]:
    used = {"inputTokens": tokens, "outputTokens": 1, "totalTokens": tokens + 1}
    text = {"type": "text", "text": ""}
    return update("agent_message_chunk", content=text, _meta={"usage": used, "durationMs": 5})


def test_the_usage_beside_empty_text_is_that_of_the_turn_and_of_the_context() -> None:
    usage = QwenUsage()
    models = {
        "currentModelId": "m",
        "availableModels": [{"modelId": "m", "_meta": {"contextLimit": 200}}],
    }
    through(usage, response(0, {"sessionId": "s", "models": models}))
    for _ in range(2):
        usage.outgoing(PROMPT)
        told = through(usage, empty(10), empty(20), ENDED)
        used = [(one["used"], one["size"]) for one in updates(told)]
        assert used == [(11, 200), (21, 200)]
        assert all(one["sessionUpdate"] == "usage_update" for one in updates(told))
        responded = [one for one in told if one.get("method") == extensions.MODEL_RESPONDED]
        assert [one["params"]["usage"]["inputTokens"] for one in responded] == [10, 20]
        assert told[-1]["result"]["usage"] == {
            "inputTokens": 30,
            "outputTokens": 2,
            "totalTokens": 32,
        }


def test_a_compaction_is_told() -> None:
    done = {"phase": "done", "originalTokenCount": 900, "newTokenCount": 90}
    said = update(
        "agent_message_chunk",
        content={"type": "text", "text": "Context compressed (900 -> 90)."},
        _meta={"contextCompression": done},
    )
    first, told = through(QwenUsage(), said)
    assert first == said
    assert told == notification(
        "_sandbox_agent/context.compacted",
        {"sessionId": "s", "trigger": "manual", "preTokens": 900, "postTokens": 90},
    )


QUESTIONS = [
    {
        "question": "Which?",
        "header": "Colour",
        "multiSelect": False,
        "options": [{"label": "Red", "description": "r"}, {"label": "Blue", "description": "b"}],
    },
    {"question": "Who?", "multiSelect": True, "options": [{"label": "Ada"}, {"label": "Bob"}]},
]


def asked(questions: QwenQuestions) -> dict[str, Any]:
    meta = {"qwenInteractionKind": "user_question", "qwenQuestions": QUESTIONS}
    tool_call = {"toolCallId": "c", "kind": "think", "rawInput": {}, "_meta": meta}
    params = {"sessionId": "s", "toolCall": tool_call, "options": OPTIONS}
    told, asked = through(questions, request(4, "session/request_permission", params))
    assert updates([told])[0]["toolCallId"] == "c"
    return asked


def test_a_question_is_a_question_and_answered_by_its_place() -> None:
    questions = QwenQuestions()
    frame = asked(questions)
    assert frame["method"] == "elicitation/create"
    shown = frame["params"]["requestedSchema"]["properties"]
    assert shown["0"] == {"type": "string", "title": "Which?", "enum": ["Red", "Blue"]}
    assert frame["params"]["_meta"]["questions"][0]["header"] == "Colour"

    answer = {"action": "accept", "content": {"0": "Blue", "1": ["Ada", "Bob"]}}
    told = questions.to_agent(response(4, answer))
    assert told["result"] == {
        "outcome": {"outcome": "selected", "optionId": "proceed_once"},
        "answers": {"0": "Blue", "1": "Ada, Bob"},
    }
    assert questions.to_agent(response(4, answer)) == response(4, answer)


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ({"action": "decline"}, {"outcome": "selected", "optionId": "cancel"}),
        ({"action": "cancel"}, {"outcome": "cancelled"}),
        (None, {"outcome": "cancelled"}),
    ],
)
def test_a_question_may_stay_unanswered(result: Any, outcome: dict[str, Any]) -> None:
    questions = QwenQuestions()
    asked(questions)
    assert questions.to_agent(response(4, result))["result"]["outcome"] == outcome


TASK_STOP = "_sandbox_agent/task.stop"


def of_harness(source: str, **task: Any) -> dict[str, Any]:
    meta = {"source": source, "backgroundTask": {"taskId": "bg_1", "kind": "shell", **task}}
    return update("agent_message_chunk", content={"type": "text", "text": "It ended."}, _meta=meta)


@pytest.mark.parametrize(
    ("status", "how"), [("completed", "completed"), ("failed", "failed"), ("cancelled", "stopped")]
)
def test_a_command_in_the_background_is_a_task(status: str, how: str) -> None:
    tasks = QwenTasks()
    result = {"type": "text", "text": "Background shell started.\nid: bg_1\npid: 4"}
    begun = through(
        tasks,
        call("tool_call", rawInput=COMMAND),
        call("tool_call_update", status="completed", content=[{"content": result}]),
    )
    assert begun[1]["method"] == "_sandbox_agent/task.started"
    assert begun[1]["params"] == {
        "sessionId": "s", "taskId": "bg_1", "kind": "shell", "title": "touch x", "toolCallId": "c",
    }  # fmt: skip

    stop = tasks.to_agent(notification(TASK_STOP, {"sessionId": "s", "taskId": "bg_1"}))
    assert stop is not None
    assert stop["params"] == {"sessionId": "s", "taskId": "bg_1", "taskKind": "shell"}
    is_stopped = how == "stopped"
    stopped = through(tasks, response(stop["id"], {"cancelled": is_stopped}))
    ends = [frame["params"] for frame in stopped]
    assert ends == ([{"sessionId": "s", "taskId": "bg_1", "status": how}] if is_stopped else [])

    told, *ended = through(tasks, of_harness("background_task_completed", status=status))
    assert told["method"] == "_qwencode/background_task"
    ends += [frame["params"] for frame in ended]
    assert ends == [{"sessionId": "s", "taskId": "bg_1", "status": how}]
    again = through(tasks, of_harness("background_notification", status=status))
    assert [frame["method"] for frame in again] == ["_qwencode/background_task"]


def test_what_it_says_of_a_task_is_left_alone() -> None:
    said = of_harness("background_notification_response")
    assert through(QwenTasks(), said, ENDED) == [said, ENDED]


def test_a_turn_of_its_own_has_its_usage() -> None:
    usage = QwenUsage()
    started = request(3, "_qwencode/start_turn", {"sessionId": "s"})
    ended = notification("_qwencode/end_turn", {"sessionId": "s", "reason": "end_turn"})
    through(usage, empty(10))
    told = through(usage, started, empty(20), ended)
    assert told[-1]["params"]["usage"]["inputTokens"] == 20
    (_, announced) = through(QwenTurns(), told[-1])
    assert announced["params"]["usage"]["inputTokens"] == 20


class Steering:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.steering = QwenSteering()
        self.steering.attach(send=self.sent.append, tell=self.told.append)

    def steer(self) -> None:
        params = {"sessionId": "s", "prompt": [{"type": "text", "text": "and hurry"}]}
        assert self.steering.to_agent(request(8, STEER, params)) is None


def test_what_is_said_meanwhile_is_taken_when_qwen_asks() -> None:
    lab = Steering()
    lab.steering.outgoing(PROMPT)
    lab.steer()
    asks = request(0, ASKS, {"sessionId": "s"})
    told = through(lab.steering, asks)
    assert told == [notification(ASKS, {"sessionId": "s"}), response(8, {})]
    assert lab.sent[-1]["id"] == 0
    assert lab.sent[-1]["result"]["items"] == [
        {"content": [{"type": "text", "text": "and hurry"}], "displayText": "and hurry"}
    ]

    through(lab.steering, asks)
    assert lab.sent[-1]["result"] == {"items": [], "messages": [], "hasQueuedPrompt": False}


def test_what_no_turn_has_taken_is_refused() -> None:
    lab = Steering()
    lab.steer()
    assert "error" in lab.told[-1]
    lab.steering.outgoing(PROMPT)
    lab.steer()
    refused, last = through(lab.steering, ENDED)
    assert (refused["id"], "error" in refused, last) == (8, True, ENDED)
