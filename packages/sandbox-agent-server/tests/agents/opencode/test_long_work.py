"""What OpenCode remembers, compacts and is told meanwhile, as its events and its API say it."""

from __future__ import annotations

from typing import Any

import pytest
from opencode_replay import make_translator
from sandbox_agent_core.frames import extensions
from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.translator import Output
from sandbox_agent_server.agents.opencode.history import History, marked
from sandbox_agent_server.agents.opencode.long_work import review_arguments
from sandbox_agent_server.agents.opencode.translate import ASK_STATUS, Translator

TIMES = {"created": 1, "completed": 2}


@pytest.fixture
def translator() -> Translator:
    made = make_translator()
    made.begin_turn(7)
    return made


def feed(translator: Translator, kind: str, **properties: Any) -> Output:
    return translator.feed({"type": kind, "properties": {"sessionID": "ses_1", **properties}})


def said(translator: Translator, id: str, role: str, **info: Any) -> Output:
    info = {"id": id, "sessionID": "ses_1", "role": role, **info}
    return feed(translator, "message.updated", info=info)


def part(translator: Translator, message: str, **part: Any) -> Output:
    part = {"id": f"prt_{message}", "sessionID": "ses_1", "messageID": message, **part}
    return feed(translator, "message.part.updated", part=part)


def text(id: str, **fields: Any) -> dict[str, Any]:
    return {"id": f"p{id}", "messageID": id, "type": "text", "text": "x", **fields}


def test_a_turn_goes_on_until_what_was_said_into_it_is_answered(translator: Translator) -> None:
    said(translator, "msg_1", "user")
    mark = translator.steer()
    assert mark is not None
    said(translator, "msg_2", "assistant", time=TIMES, finish="stop")
    assert feed(translator, "session.idle") == Output([], [ASK_STATUS])
    assert translator.turn is not None
    assert translator.turn.has_more_to_do

    said(translator, "msg_3", "user")
    part(translator, "msg_3", type="text", text="hi", metadata={"sandboxAgent": mark})
    assert feed(translator, "session.idle").frames == [], "Kilo is idle before it takes it up"
    said(translator, "msg_4", "assistant", time=TIMES, finish="stop")
    (answer,) = feed(translator, "session.idle").frames

    assert answer["result"]["stopReason"] == "end_turn"
    assert translator.history.prompts == ["msg_1"]


def test_nothing_is_said_into_no_turn_or_one_that_is_stopped(translator: Translator) -> None:
    translator.cancel()
    assert translator.steer() is None
    assert make_translator().steer() is None


def test_what_is_said_into_a_turn_is_marked() -> None:
    file = {"type": "file", "mime": "image/png", "url": "data:"}
    assert marked([file, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "m") == [
        file,
        {"type": "text", "text": "a", "metadata": {"sandboxAgent": "m"}},
        {"type": "text", "text": "b"},
    ]
    assert [part["type"] for part in marked([file], "m")] == ["file", "text"]


@pytest.mark.parametrize("is_auto", [False, True])
def test_a_compaction_is_one_event_and_no_words(translator: Translator, is_auto: bool) -> None:
    said(translator, "msg_1", "user")
    part(translator, "msg_1", type="compaction", auto=is_auto)
    said(translator, "msg_2", "assistant", summary=True, time={"created": 1})
    told = [
        *part(translator, "msg_2", type="text", text="").frames,
        *feed(translator, "message.part.delta", partID="prt_msg_2", field="text", delta="In").frames,
        *part(translator, "msg_2", type="text", text="In short").frames,
        *part(translator, "msg_2", type="text", text="| Initializing", synthetic=True).frames,
        *said(translator, "msg_2", "assistant", summary=True, time=TIMES, tokens={"input": 9}).frames,
    ]  # fmt: skip

    (compacted,) = feed(translator, "session.compacted").frames

    assert [one["method"] for one in told] == [extensions.MODEL_RESPONDED]
    assert compacted["method"] == "_sandbox_agent/context.compacted"
    assert compacted["params"] == {
        "sessionId": "ses_1",
        "trigger": "auto" if is_auto else "manual",
        "summary": "In short",
    }


def test_a_review_is_a_turn_and_no_prompt() -> None:
    translator = make_translator()
    translator.begin_turn(8, is_prompt=False)
    said(translator, "msg_1", "user")

    assert translator.history.prompts == []
    assert translator.no_prompts == {"msg_1"}


def test_what_the_model_gave_in_the_wanted_form_is_in_the_answer(translator: Translator) -> None:
    said(translator, "msg_1", "user")
    said(translator, "msg_2", "assistant", time=TIMES, finish="tool-calls", structured={"n": 0})

    (answer,) = feed(translator, "session.idle").frames

    assert answer["result"]["_meta"] == {"structuredOutput": {"n": 0}}


def test_prompts_are_what_a_user_began_a_turn_with() -> None:
    messages = [
        {"info": {"id": "m1", "role": "user"}, "parts": [text("m1")]},
        {
            "info": {"id": "m2", "role": "assistant"},
            "parts": [{"type": "patch", "messageID": "m2", "files": ["/w/a", 7]}],
        },
        {"info": {"id": "m3", "role": "user"}, "parts": [text("m3", metadata={"sandboxAgent": "s"})]},
        {"info": {"id": "m4", "role": "user"}, "parts": [{"type": "compaction"}]},
        {"info": {"id": "m5", "role": "user"}, "parts": [text("m5", synthetic=True)]},
        {"info": {"id": "m6", "role": "user"}, "parts": [{"type": "subtask"}]},
        {"info": {"id": "m7", "role": "user"}, "parts": [text("m7")]},
        {
            "info": {"id": "m8", "role": "assistant"},
            "parts": [{"type": "patch", "messageID": "m8", "files": ["/w/b"]}],
        },
        {"info": {"id": "m9", "role": "user"}, "parts": [text("m9")]},
        {"info": {"id": "m0", "role": "user"}, "parts": [{"type": "subtask", "command": "review"}]},
        "odd",
    ]  # fmt: skip

    history = History.read(messages, but={"m6"}, until="m9")

    assert history.prompts == ["m1", "m7"]
    assert history.changed_since("m1") == ["/w/a", "/w/b"]
    assert history.changed_since("m7") == ["/w/b"]
    assert history.since("m6") == ["m8", "m7", "m6"]
    history.forget_since("m7")
    assert (history.prompts, history.changed_since("m1")) == (["m1"], ["/w/a"])


@pytest.mark.parametrize("index", [-1, 2, None, "0", 1.0])
def test_there_is_no_such_prompt(index: Any) -> None:
    with pytest.raises(InvalidParams, match="the session has 2"):
        History(prompts=["m1", "m2"]).prompt(index)


def test_a_review_is_of_what_the_command_takes() -> None:
    assert review_arguments({"type": "uncommitted"}) == ""
    assert review_arguments({"type": "branch", "branch": "main"}) == "main"
    assert review_arguments({"type": "commit", "sha": "abc"}) == "abc"
    assert review_arguments({"type": "custom", "instructions": "look"}) == "look"
    for target in (None, {}, {"type": "branch"}, {"type": "commit", "sha": ""}):
        with pytest.raises(InvalidParams):
            review_arguments(target)
