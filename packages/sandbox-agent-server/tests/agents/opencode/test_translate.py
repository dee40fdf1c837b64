"""Events as OpenCode may write them: in odd order, of odd shape, about other things."""

from __future__ import annotations

from typing import Any

import pytest
from opencode_replay import make_offers, make_translator
from sandbox_agent_core.tool_facts import facts_of
from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.translator import Output
from sandbox_agent_server.agents.opencode.content import command_in, prompt_parts
from sandbox_agent_server.agents.opencode.translate import ASK_STATUS, Translator
from sandbox_agent_server.agents.opencode.turns import MAX_BROKEN_MESSAGES

ABORT = {"path": "/session/ses_1/abort", "body": None}


def feed(translator: Translator, kind: str, **properties: Any) -> Output:
    return translator.feed({"type": kind, "properties": {"sessionID": "ses_1", **properties}})


def message(id: str, role: str = "assistant", **fields: Any) -> dict[str, Any]:
    return {"id": id, "sessionID": "ses_1", "role": role, "time": {"created": 1}, **fields}


def done(id: str, **fields: Any) -> dict[str, Any]:
    return message(id, time={"created": 1, "completed": 2}, **fields)


@pytest.fixture
def translator() -> Translator:
    """In a turn that OpenCode has taken up."""
    made = make_translator()
    made.begin_turn(7)
    feed(made, "message.updated", info=message("msg_user", "user"))
    return made


def asks(id: str = "per_1", pattern: str = "touch x", **fields: Any) -> dict[str, Any]:
    return {
        "id": id,
        "permission": "bash",
        "patterns": [pattern],
        "always": ["touch *"],
        "metadata": {"command": pattern},
        **fields,
    }


def chosen(option: str) -> dict[str, Any]:
    return {"outcome": {"outcome": "selected", "optionId": option}}


# The end of a turn


def test_an_idle_session_with_an_open_message_has_not_finished(translator: Translator) -> None:
    feed(translator, "message.updated", info=message("msg_1"))

    early = feed(translator, "session.idle")
    feed(translator, "message.updated", info=done("msg_1", finish="stop"))
    late = feed(translator, "session.idle")

    assert early.frames == []
    assert early.replies == [ASK_STATUS]
    assert late.frames[-1]["result"]["stopReason"] == "end_turn"
    assert feed(translator, "session.idle").frames == []


def test_an_idle_of_the_turn_before_ends_nothing() -> None:
    translator = make_translator()
    translator.begin_turn(7)

    assert feed(translator, "session.idle") == Output([], [])


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content-filter", "refusal"),
        (None, "end_turn"),
    ],
)
def test_how_the_model_finished_is_the_stop_reason(
    translator: Translator, finish: str | None, reason: str
) -> None:
    feed(translator, "message.updated", info=done("msg_1", finish=finish))

    assert feed(translator, "session.idle").frames[-1]["result"]["stopReason"] == reason


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"name": "APIError", "data": {"message": "no", "statusCode": 401}}, -32000),
        ({"name": "ProviderAuthError", "data": {"message": "no"}}, -32000),
        ({"name": "APIError", "data": {"message": "no", "statusCode": 500}}, -32603),
        ({"name": "ContextOverflowError"}, -32603),
        ("odd", -32603),
    ],
)
def test_an_error_before_any_message_is_the_answer(
    translator: Translator, error: Any, code: int
) -> None:
    output = feed(translator, "session.error", error=error)
    (answer,) = translator.end_turn()

    assert output.replies == [ASK_STATUS]
    assert answer["error"]["code"] == code
    assert ("auth login" in answer["error"]["message"]) == (code == -32000)


def test_answers_that_break_off_again_and_again_stop_the_turn(translator: Translator) -> None:
    for number in range(MAX_BROKEN_MESSAGES - 1):
        assert (
            feed(
                translator, "message.updated", info=done(f"msg_{number}", finish="unknown")
            ).replies
            == []
        )

    last = feed(translator, "message.updated", info=done("msg_last", finish="unknown"))
    (answer,) = feed(translator, "session.idle").frames

    assert last.replies == [ABORT]
    assert "broke off 4 times" in answer["error"]["message"]


def test_a_whole_answer_between_broken_ones_is_a_new_start(translator: Translator) -> None:
    for number in range(MAX_BROKEN_MESSAGES * 2):
        finish = "tool-calls" if number % 2 else "unknown"
        assert not feed(
            translator, "message.updated", info=done(f"msg_{number}", finish=finish)
        ).replies


# Cancelling


def test_what_was_cancelled_too_early_is_cancelled_again(translator: Translator) -> None:
    assert translator.cancel() == [ABORT]

    assert feed(translator, "session.status", status={"type": "busy"}).replies == [ABORT]
    assert feed(translator, "session.status", status={"type": "idle"}).replies == []


def test_without_a_turn_there_is_nothing_to_cancel() -> None:
    assert make_translator().cancel() == []


# Permissions


def test_always_holds_until_the_mode_changes(translator: Translator) -> None:
    (asked,) = feed(translator, "permission.asked", **asks()).frames

    # OpenCode is told `once`: what it remembers it would not ask about in any mode.
    assert translator.answer(asked["id"], chosen("always")) == [
        {"path": "/permission/per_1/reply", "body": {"reply": "once"}}
    ]
    again = feed(translator, "permission.asked", **asks("per_2", "touch y"))
    assert again == Output([], [{"path": "/permission/per_2/reply", "body": {"reply": "once"}}])
    assert feed(translator, "permission.asked", **asks("per_3", "touch")).frames == []
    assert feed(translator, "permission.asked", **asks("per_4", "rm y")).frames
    assert feed(translator, "permission.asked", **asks("per_5", permission="edit")).frames

    translator.choose("mode", "build")
    assert feed(translator, "permission.asked", **asks("per_6")).frames


@pytest.mark.parametrize(
    "result",
    [None, {}, chosen("never heard of"), {"outcome": {"outcome": "cancelled"}}, {"outcome": 7}],
)
def test_everything_that_is_no_yes_is_a_no(translator: Translator, result: Any) -> None:
    feed(translator, "permission.asked", **asks())

    assert translator.answer("per_1", result) == [
        {"path": "/permission/per_1/reply", "body": {"reply": "reject"}}
    ]
    assert translator.answer("per_1", chosen("once")) == [], "it is answered once"


def test_what_is_settled_otherwise_is_withdrawn(translator: Translator) -> None:
    feed(translator, "permission.asked", **asks())

    (withdrawn,) = feed(translator, "permission.replied", requestID="per_1", reply="once").frames

    assert withdrawn["method"] == "$/cancel_request"
    assert withdrawn["params"] == {"requestId": "per_1"}
    assert feed(translator, "permission.replied", requestID="per_1").frames == []


@pytest.mark.parametrize("state", [{"status": "pending", "input": {}}, {"status": "running"}, {}])
def test_a_permission_that_comes_before_the_arguments_says_what_it_is_about(
    translator: Translator, state: dict[str, Any]
) -> None:
    tool = {"messageID": "msg_1", "callID": "call_1"}
    feed(translator, "message.updated", info=message("msg_1"))
    part = {"id": "prt_1", "type": "tool", "tool": "bash", "state": state, **tool}
    feed(translator, "message.part.updated", part=part)

    *_, asked = feed(translator, "permission.asked", **asks(tool=tool)).frames

    call = asked["params"]["toolCall"]
    assert (call["title"], call["kind"], call["name"]) == ("touch x", "execute", "bash")
    assert call["rawInput"] == {"command": "touch x"}


def test_a_permission_waits_for_its_call_to_be_told(translator: Translator) -> None:
    tool = {"messageID": "msg_1", "callID": "call_1"}
    feed(translator, "message.updated", info=message("msg_1"))
    held = feed(translator, "permission.asked", **asks(tool=tool))
    assert held == Output([], [{"held": "per_1"}])

    text = {"id": "prt_0", "messageID": "msg_1", "type": "text", "text": "I will."}
    feed(translator, "message.part.updated", part=text)
    state = {"status": "pending", "input": {}}
    part = {"id": "prt_1", "type": "tool", "tool": "bash", "state": state, **tool}
    told, asked = feed(translator, "message.part.updated", part=part).frames

    call = told["params"]["update"]
    assert (call["sessionUpdate"], call["status"]) == ("tool_call", "pending")
    assert (call["title"], call["name"]) == ("touch x", "bash")
    assert call["rawInput"] == {"command": "touch x"}
    assert asked["params"]["toolCall"]["toolCallId"] == call["toolCallId"]
    assert translator.ask_held("per_1") == [], "it was asked"


def test_a_permission_whose_call_is_never_told_is_asked_all_the_same(
    translator: Translator,
) -> None:
    tool = {"messageID": "msg_1", "callID": "call_1"}
    feed(translator, "permission.asked", **asks("per_1", tool=tool))
    feed(translator, "permission.asked", **asks("per_2", tool=tool))
    feed(translator, "permission.replied", requestID="per_2", reply="reject")

    (asked,) = translator.ask_held("per_1")

    assert asked["params"]["toolCall"]["toolCallId"] == "call_1"
    assert translator.ask_held("per_2") == [], "it is settled"


def test_a_call_that_ends_before_it_says_what_it_is_about_begins_and_ends(
    translator: Translator,
) -> None:
    part = {"id": "prt_1", "sessionID": "ses_1", "messageID": "m", "type": "tool", "tool": "bash",
            "callID": "call_1"}  # fmt: skip
    pending = {"status": "pending", "input": {}}
    assert feed(translator, "message.part.updated", part=part | {"state": pending}).frames == []

    state = {"status": "error", "input": {}, "error": "aborted"}
    frames = feed(translator, "message.part.updated", part=part | {"state": state}).frames

    told = [frame["params"]["update"] for frame in frames]
    assert [(one["sessionUpdate"], one["status"]) for one in told] == [
        ("tool_call", "pending"),
        ("tool_call_update", "failed"),
    ]


def test_what_a_permission_tells_of_a_file_holds_to_the_end_of_the_call(
    translator: Translator,
) -> None:
    given = {"filePath": "/w/a", "content": "new\n"}
    part = {"id": "prt_1", "sessionID": "ses_1", "messageID": "m", "type": "tool", "tool": "write",
            "callID": "call_1"}  # fmt: skip
    feed(translator, "message.part.updated", part=part | {"state": {"status": "running", "input": given}})  # fmt: skip
    metadata = {"filepath": "/w/a", "diff": "--- /w/a\n+++ /w/a\n@@ -4,1 +4,1 @@\n-old\n+new\n"}
    tool = {"messageID": "m", "callID": "call_1"}
    feed(translator, "permission.asked", **asks(permission="edit", metadata=metadata, tool=tool))

    done = {"status": "completed", "input": given, "output": "ok", "metadata": {"exists": True}}
    (frame,) = feed(translator, "message.part.updated", part=part | {"state": done}).frames

    update = frame["params"]["update"]
    assert update["content"][0] == {
        "type": "diff",
        "path": "/w/a",
        "oldText": "old\n",
        "newText": "new\n",
        "_meta": {"sandbox_agent": {"isWholeFile": False, "startLine": 4, "newStartLine": 4}},
    }
    assert update["rawOutput"] == {"output": "ok", "metadata": {"exists": True}}


def test_a_permission_for_several_files_names_each(translator: Translator) -> None:
    files = [{"filePath": "/w/a", "type": "update"}, {"filePath": "/w/b", "type": "add"}]
    metadata = {"filepath": "a, b", "diff": "--- /w/a\n+++ /w/a\n@@\n-x\n+y\n", "files": files}
    asked_for = asks(permission="edit", pattern="a", metadata=metadata)

    (asked,) = feed(translator, "permission.asked", **asked_for).frames

    assert facts_of(asked["params"]["toolCall"]).paths == ("/w/a", "/w/b")


def test_a_permission_to_leave_the_workspace_says_where_to(translator: Translator) -> None:
    metadata = {"filepath": "/etc/hosts", "parentDir": "/etc"}
    outside = asks(permission="external_directory", pattern="/etc/*", metadata=metadata)

    (asked,) = feed(translator, "permission.asked", **outside).frames

    call = asked["params"]["toolCall"]
    assert call["locations"] == [{"path": "/etc/hosts"}]
    assert call["kind"] == "read"


# Questions


def test_a_question_can_be_declined(translator: Translator) -> None:
    questions = [{"question": "Which?", "options": [{"label": "A"}], "multiple": True}, "odd"]

    (asked,) = feed(translator, "question.asked", id="que_1", questions=questions).frames

    assert asked["params"]["requestedSchema"]["properties"]["q1"]["type"] == "array"
    assert translator.answer("que_1", {"action": "decline"}) == [
        {"path": "/question/que_1/reject", "body": None}
    ]


def test_several_answers_are_a_list_for_each_question(translator: Translator) -> None:
    questions = [{"question": "Which?", "options": []}, {"question": "And?", "options": []}]
    feed(translator, "question.asked", id="que_1", questions=questions)

    calls = translator.answer("que_1", {"action": "accept", "content": {"q2": ["A", "B"]}})

    assert calls == [{"path": "/question/que_1/reply", "body": {"answers": [[], ["A", "B"]]}}]


# Sub-agents


def test_two_subagents_at_once_are_told_apart(translator: Translator) -> None:
    def task(id: str, session: str | None) -> dict[str, Any]:
        state = {"status": "running", "metadata": {"sessionId": session} if session else {}}
        return {"id": id, "sessionID": "ses_1", "messageID": "m", "type": "tool", "tool": "task",
                "callID": f"call-{id}", "state": state}  # fmt: skip

    feed(translator, "message.part.updated", part=task("prt_1", None))
    feed(translator, "message.part.updated", part=task("prt_2", None))
    for session in ("ses_b", "ses_a"):
        info = {"id": session, "parentID": "ses_1"}
        feed(translator, "session.created", sessionID=session, info=info)
    feed(translator, "message.part.updated", part=task("prt_1", "ses_a"))
    feed(translator, "message.part.updated", part=task("prt_2", "ses_b"))

    for session, call in (("ses_a", "call-prt_1"), ("ses_b", "call-prt_2")):
        part = {
            "id": f"p{session}",
            "sessionID": session,
            "messageID": "n",
            "type": "text",
            "text": "hi",
        }
        (frame,) = feed(translator, "message.part.updated", sessionID=session, part=part).frames
        assert frame["params"]["update"]["_meta"] == {"parentToolCallId": call}


def test_other_sessions_of_the_server_are_not_ours(translator: Translator) -> None:
    assert feed(translator, "session.idle", sessionID="ses_other") == Output([], [])
    assert feed(translator, "permission.asked", **asks(sessionID="ses_other")) == Output([], [])


# Parts


def test_calls_that_are_numbered_anew_keep_apart(translator: Translator) -> None:
    def call(part: str) -> dict[str, Any]:
        return {"id": part, "sessionID": "ses_1", "messageID": "m", "type": "tool", "tool": "bash",
                "callID": "call_0", "state": {"status": "running", "input": {"command": "ls"}}}  # fmt: skip

    ids = []
    for part in ("prt_1", "prt_2"):
        (frame,) = feed(translator, "message.part.updated", part=call(part)).frames
        ids.append(frame["params"]["update"]["toolCallId"])

    assert ids == ["call_0", "prt_2"]


def test_a_part_that_had_no_deltas_is_told_whole_and_once(translator: Translator) -> None:
    part = {
        "id": "prt_1",
        "sessionID": "ses_1",
        "messageID": "m",
        "type": "reasoning",
        "text": "so",
    }

    (frame,) = feed(translator, "message.part.updated", part=part).frames

    assert frame["params"]["update"]["sessionUpdate"] == "agent_thought_chunk"
    assert feed(translator, "message.part.updated", part=part).frames == []


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": None},
        {"type": "message.part.updated"},
        {"type": "message.part.updated", "properties": {"part": {"id": "p", "type": "new kind"}}},
        {"type": "something.new", "properties": {"sessionID": "ses_1", "a": 1}},
        {"type": "question.asked", "properties": {"sessionID": "ses_1"}},
        {"type": "session.error", "properties": {"sessionID": "ses_1", "error": None}},
        {
            "type": "session.status",
            "properties": {"sessionID": "ses_1", "status": {"type": "retry"}},
        },
    ],
)
def test_what_is_not_understood_goes_on_as_it_came(event: dict[str, Any]) -> None:
    (frame,) = make_translator().feed(event).frames

    assert frame["method"].startswith("_opencode/")
    assert frame["params"]["sessionId"] == "ses_1"


@pytest.mark.parametrize(
    "kind", ["message.updated", "message.part.delta", "todo.updated", "session.updated"]
)
@pytest.mark.parametrize("junk", [None, 7, "x", [], {}, [1]])
def test_junk_is_survived(translator: Translator, kind: str, junk: Any) -> None:
    for key in ("info", "part", "todos", "delta", "partID"):
        translator.feed({"type": kind, "properties": {"sessionID": "ses_1", key: junk}})

    feed(translator, "message.updated", info=done("msg_1"))
    assert feed(translator, "session.idle").frames[-1]["id"] == 7


# Commands


@pytest.mark.parametrize("text", ["init", "/unknown", "/", "", "see /init"])
def test_what_names_no_command_is_a_prompt(text: str) -> None:
    assert command_in(prompt_parts([{"type": "text", "text": text}]), make_offers()) is None


def test_a_command_has_its_files_and_the_model_as_one_word() -> None:
    offers = make_offers()
    offers.choose("model", "anthropic/claude-haiku-4-5")
    image = {"type": "image", "mimeType": "image/png", "data": "AAAA"}

    made = command_in(prompt_parts([{"type": "text", "text": "/init  all of it "}, image]), offers)

    assert made == {
        "agent": "build",
        "model": "anthropic/claude-haiku-4-5",
        "command": "init",
        "arguments": "all of it",
        "parts": [{"type": "file", "mime": "image/png", "url": "data:image/png;base64,AAAA"}],
    }


# What can be chosen


def test_what_nobody_chose_is_not_sent() -> None:
    offers = make_offers()

    assert offers.settings() == {"agent": "build"}
    offers.choose("model", "anthropic/claude-sonnet-4-6")
    offers.choose("effort", "max")
    assert offers.settings() == {
        "agent": "build",
        "model": {"providerID": "anthropic", "modelID": "claude-sonnet-4-6"},
        "variant": "max",
    }
    offers.choose("model", "anthropic/claude-haiku-4-5")
    assert "variant" not in offers.settings(), "this model has none"


@pytest.mark.parametrize(
    ("option", "value"),
    [("mode", "general"), ("mode", "title"), ("model", "x/y"), ("effort", "off"), ("colour", "red"),
     ("mode", None)],
)  # fmt: skip
def test_what_is_not_offered_is_refused(option: str, value: Any) -> None:
    with pytest.raises(InvalidParams):
        make_offers().choose(option, value)


def test_the_users_configuration_says_what_is_first() -> None:
    offers = make_offers(config={"model": "anthropic/claude-haiku-4-5", "default_agent": "plan"})

    assert (offers.model, offers.mode) == ("anthropic/claude-haiku-4-5", "plan")
    assert make_offers(providers={}, agents=None).has_models is False
