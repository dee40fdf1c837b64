"""What a message of Codex becomes, where no recording shows it."""

from __future__ import annotations

from typing import Any

import pytest
from codex_replay import THREAD, Replay, item
from sandbox_agent_core.projection.faults import fault_of

COMMAND = item("commandExecution", "c1", command="/bin/bash -lc 'make'", status="inProgress")


def kinds(replay: Replay) -> list[str]:
    return [update["sessionUpdate"] for update in replay.updates]


# Text


def test_parts_of_reasoning_are_paragraphs() -> None:
    replay = Replay()
    for index, delta in ((0, "One"), (0, " more"), (1, "Two")):
        replay.codex("item/reasoning/summaryTextDelta", itemId="r", summaryIndex=index, delta=delta)
    replay.completed(item("reasoning", "r", summary=["One more", "Two"], content=[]))

    told = [update["content"]["text"] for update in replay.updates]
    assert told == ["One", " more", "\n\nTwo"]


def test_what_was_not_streamed_comes_with_the_whole_item() -> None:
    replay = Replay()
    replay.completed(item("reasoning", "r", summary=["A", "B"], content=[]))
    replay.codex("item/agentMessage/delta", itemId="m", delta="Hel")
    replay.completed(item("agentMessage", "m", text="Hello"))

    told = [update["content"]["text"] for update in replay.updates]
    assert told == ["A\n\nB", "Hel", "lo"]


def test_a_proposed_plan_comes_whole_as_a_message() -> None:
    replay = Replay()
    replay.codex("item/plan/delta", itemId="p", delta="# Pl")
    replay.completed(item("plan", "p", text="# Plan"))

    assert [update["content"]["text"] for update in replay.updates] == ["# Plan"]
    assert replay.updates[0]["_meta"] == {"codex": {"type": "plan"}}


def test_the_plan_is_an_acp_plan() -> None:
    replay = Replay()
    steps = [
        {"step": "one", "status": "completed"},
        {"step": "two", "status": "inProgress"},
        {"step": "three", "status": "pending"},
    ]
    replay.codex("turn/plan/updated", explanation="why", plan=steps)

    entries = replay.updates[0]["entries"]
    assert [entry["status"] for entry in entries] == ["completed", "in_progress", "pending"]
    assert replay.updates[0]["_meta"] == {"codex": {"explanation": "why"}}


# Turns


def test_a_cancel_before_the_turn_runs_interrupts_it_once_it_does() -> None:
    replay = Replay()
    replay.client({"id": 1, "method": "session/prompt"})
    replay.client({"method": "session/cancel"})
    replay.translator.prompt_taken({"turn": {"id": "t1"}})
    assert replay.calls == []

    replay.codex("turn/started", turn={"id": "t1"})

    assert replay.calls == [
        {"method": "turn/interrupt", "params": {"threadId": "main", "turnId": "t1"}}
    ]


def test_an_interrupt_that_was_refused_is_sent_again_while_the_turn_goes_on() -> None:
    replay = Replay()
    replay.prompt()
    replay.client({"method": "session/cancel"})
    replay.translator.interrupt_refused("t1")

    replay.codex("item/agentMessage/delta", itemId="m", delta="still here")
    replay.codex("item/agentMessage/delta", itemId="m", delta="and here")

    assert [call["method"] for call in replay.calls] == ["turn/interrupt", "turn/interrupt"]


def test_a_turn_that_codex_began_by_itself_answers_no_prompt() -> None:
    replay = Replay()
    replay.codex("turn/started", turn={"id": "own"})
    replay.client({"id": 1, "method": "session/prompt"})
    replay.translator.prompt_taken({"turn": {"id": "t1"}})
    replay.end(turn="own")
    assert replay.answers == []

    replay.codex("turn/started", turn={"id": "t1"})
    replay.end(turn="t1")

    assert [answer["id"] for answer in replay.answers] == [1]


def test_a_prompt_that_codex_refuses_is_over_unless_it_was_answered_already() -> None:
    replay = Replay()
    replay.client({"id": 1, "method": "session/prompt"})

    assert replay.translator.drop_prompt()

    assert not replay.translator.is_prompted
    assert not replay.translator.drop_prompt()


def test_only_what_a_cancelled_turn_started_is_stopped_in_the_background() -> None:
    replay = Replay()
    replay.prompt(1, "t1")
    replay.started(item("commandExecution", "server", command="serve"))
    replay.end(turn="t1")
    replay.prompt(2, "t2")
    replay.started(item("commandExecution", "slow", command="sleep 60"))
    replay.end("interrupted", turn="t2")
    terminals = [
        {"itemId": "server", "processId": "7"},
        {"itemId": "slow", "processId": "8"},
    ]

    assert replay.calls[-1]["method"] == "thread/backgroundTerminals/list"
    assert replay.translator.left_running(terminals) == ["8"]


def test_a_background_command_that_ends_later_is_an_update_of_its_call() -> None:
    replay = Replay()
    replay.prompt()
    replay.started(COMMAND)
    replay.end()
    replay.completed(COMMAND | {"status": "completed", "exitCode": 0})

    assert kinds(replay) == ["tool_call", "tool_call_update"]


def test_an_interrupted_turn_leaves_no_call_open() -> None:
    replay = Replay()
    replay.prompt()
    replay.started(COMMAND)
    replay.end("interrupted")

    assert replay.updates[-1]["status"] == "failed"
    assert replay.answers[0]["result"]["stopReason"] == "cancelled"


# Usage and errors


def usage(total: int, last: int, cached: int = 0) -> dict[str, Any]:
    def counts(tokens: int) -> dict[str, int]:
        return {"totalTokens": tokens, "inputTokens": tokens, "cachedInputTokens": cached}

    return {"total": counts(total), "last": counts(last), "modelContextWindow": 1000}


def test_usage_is_of_the_turn_also_when_the_thread_was_resumed() -> None:
    replay = Replay()
    replay.prompt(1, "t1")
    replay.codex("thread/tokenUsage/updated", tokenUsage=usage(500, 30))
    replay.codex("thread/tokenUsage/updated", tokenUsage=usage(540, 40))
    replay.end(turn="t1")
    replay.prompt(2, "t2")
    replay.codex("thread/tokenUsage/updated", tokenUsage=usage(545, 5))
    replay.end(turn="t2")

    used = [answer["result"]["usage"]["totalTokens"] for answer in replay.answers]
    assert used == [70, 5]
    assert [update["used"] for update in replay.updates] == [30, 40, 5]


def test_cached_input_is_counted_once() -> None:
    replay = Replay()
    replay.prompt()
    replay.codex("thread/tokenUsage/updated", tokenUsage=usage(100, 100, cached=60))
    replay.end()

    counted = replay.answers[0]["result"]["usage"]
    assert (counted["inputTokens"], counted["cachedReadTokens"]) == (40, 60)


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ("unauthorized", -32000),
        ({"responseStreamConnectionFailed": {"httpStatusCode": 401}}, -32000),
        ("contextWindowExceeded", -32603),
        ({"httpConnectionFailed": {"httpStatusCode": None}}, -32603),
        (None, -32603),
    ],
)
def test_a_failed_turn_is_an_error_of_the_prompt(info: Any, code: int) -> None:
    replay = Replay()
    replay.prompt()
    replay.end("failed", error={"message": "it broke", "codexErrorInfo": info})

    error = replay.answers[0]["error"]
    assert error["code"] == code
    assert error["message"].startswith("it broke")
    assert ("OPENAI_API_KEY" in error["message"]) is (code == -32000)


def test_trying_again_is_passed_on_and_the_error_that_ends_the_turn_is_told_once() -> None:
    replay = Replay()
    replay.prompt()
    for will_retry in (True, False):
        replay.codex("error", error={"message": "x"}, willRetry=will_retry)

    assert [frame["method"] for frame in replay.to_client] == ["_codex/error"]


# Requests


def test_an_approval_carries_what_was_told_of_its_call() -> None:
    replay = Replay()
    replay.prompt()
    change = {"path": "/repo/a", "kind": {"type": "add"}, "diff": "new\n"}
    replay.started(item("fileChange", "f1", changes=[change], status="inProgress"))
    replay.ask(0, "item/fileChange/requestApproval", itemId="f1", reason="outside", grantRoot=None)

    call = replay.to_client[-1]["params"]["toolCall"]
    assert (call["toolCallId"], call["status"], call["kind"]) == ("f1", "pending", "edit")
    assert call["content"][0]["newText"] == "new\n"
    assert call["content"][1]["content"]["text"] == "outside"
    assert call["locations"] == [{"path": "/repo/a"}]


@pytest.mark.parametrize(
    ("option", "decision"),
    [
        ("allow_once", "accept"),
        ("allow_always", "acceptForSession"),
        ("reject_once", "decline"),
        ("no such option", "decline"),
    ],
)
def test_only_a_known_yes_is_a_yes(option: str, decision: str) -> None:
    replay = Replay()
    replay.started(COMMAND)
    replay.ask(0, "item/commandExecution/requestApproval", itemId="c1")
    replay.select(0, option)

    assert replay.to_codex == [{"id": 0, "result": {"decision": decision}}]


@pytest.mark.parametrize("result", [None, {"outcome": {"outcome": "cancelled"}}, {}])
def test_no_answer_stops_the_turn(result: dict | None) -> None:
    replay = Replay()
    replay.started(COMMAND)
    replay.ask(0, "item/commandExecution/requestApproval", itemId="c1")
    replay.client({"id": 0, "result": result})

    assert replay.to_codex == [{"id": 0, "result": {"decision": "cancel"}}]


def test_the_same_id_can_be_asked_under_again_and_a_second_answer_goes_nowhere() -> None:
    replay = Replay()
    replay.started(COMMAND)
    for _ in range(2):
        replay.ask(0, "item/commandExecution/requestApproval", itemId="c1")
        replay.select(0, "allow_once")
        replay.select(0, "reject_once")

    assert [reply["result"]["decision"] for reply in replay.to_codex] == ["accept", "accept"]


def test_what_codex_needs_no_more_is_withdrawn_and_what_was_answered_is_not() -> None:
    replay = Replay()
    replay.started(COMMAND)
    for id in (0, 1):
        replay.ask(id, "item/commandExecution/requestApproval", itemId="c1")
    replay.select(0, "allow_once")
    for id in (0, 1):
        replay.codex("serverRequest/resolved", requestId=id)

    withdrawn = [frame for frame in replay.to_client if frame.get("method") == "$/cancel_request"]
    assert [frame["params"]["requestId"] for frame in withdrawn] == [1]


def test_network_access_says_where_to() -> None:
    replay = Replay()
    replay.started(COMMAND)
    network = {"host": "example.org", "protocol": "https"}
    replay.ask(
        0, "item/commandExecution/requestApproval", itemId="c1", networkApprovalContext=network
    )

    assert "https://example.org" in str(replay.to_client[-1]["params"]["toolCall"]["content"])


@pytest.mark.parametrize(
    ("option", "permissions", "scope", "status"),
    [
        ("allow_once", {"network": {"enabled": True}}, "turn", "completed"),
        ("allow_always", {"network": {"enabled": True}}, "session", "completed"),
        ("reject_once", {}, "turn", "failed"),
    ],
)
def test_more_permissions_are_a_call_of_their_own(
    option: str, permissions: dict, scope: str, status: str
) -> None:
    replay = Replay()
    replay.prompt()
    wanted = {"network": {"enabled": True}, "fileSystem": None}
    replay.ask(0, "item/permissions/requestApproval", itemId="p1", permissions=wanted, cwd="/repo")
    replay.select(0, option)

    call = replay.updates[0]
    assert (call["sessionUpdate"], call["kind"]) == ("tool_call", "switch_mode")
    assert replay.to_codex[0]["result"] == {"permissions": permissions, "scope": scope}
    assert replay.updates[-1]["status"] == status


def test_a_question_that_is_cancelled_stops_the_turn() -> None:
    replay = Replay()
    replay.prompt()
    question = {"id": "q", "header": "H", "question": "Why?", "options": None, "isSecret": True}
    replay.ask(0, "item/tool/requestUserInput", itemId="x", questions=[question])
    asked = replay.to_client[-1]["params"]
    assert asked["_meta"]["questions"][0]["isSecret"] is True

    replay.client({"id": 0, "result": {"action": "cancel"}})

    assert replay.to_codex[0] == {"id": 0, "result": {"answers": {}}}
    assert replay.calls[0]["method"] == "turn/interrupt"


@pytest.mark.parametrize(
    ("result", "answers"),
    [
        ({"action": "accept", "content": {"q": "Blue"}}, {"q": {"answers": ["Blue"]}}),
        ({"action": "accept", "content": {"q": ["A", "B"]}}, {"q": {"answers": ["A", "B"]}}),
        ({"action": "decline"}, {}),
    ],
)
def test_answers_go_back_by_question(result: dict, answers: dict) -> None:
    replay = Replay()
    replay.prompt()
    replay.ask(0, "item/tool/requestUserInput", itemId="x", questions=[{"id": "q"}])
    replay.client({"id": 0, "result": result})

    assert replay.to_codex == [{"id": 0, "result": {"answers": answers}}]


def test_an_mcp_tool_is_allowed_for_the_session_where_codex_offers_that() -> None:
    replay = Replay()
    for server in ("a", "b"):
        replay.started(item("mcpToolCall", server, server=server, tool="t", arguments={}))
    meta = {"codex_approval_kind": "mcp_tool_call", "tool_name": "t", "persist": ["session"]}
    replay.ask(0, "mcpServer/elicitation/request", serverName="a", mode="form", _meta=meta)
    assert replay.to_client[-1]["params"]["toolCall"]["toolCallId"] == "a"
    replay.select(0, "allow_always")
    replay.ask(
        1,
        "mcpServer/elicitation/request",
        serverName="b",
        mode="form",
        _meta={**meta, "persist": []},
    )

    assert replay.to_codex[0]["result"]["_meta"] == {"persist": "session"}
    offered = [option["optionId"] for option in replay.to_client[-1]["params"]["options"]]
    assert offered == ["allow_once", "reject_once"]


def test_a_page_of_an_mcp_server_is_a_question_with_its_url() -> None:
    replay = Replay()
    replay.ask(
        0,
        "mcpServer/elicitation/request",
        serverName="a",
        mode="url",
        message="Log in",
        url="http://a/login",
        elicitationId="e1",
    )
    replay.client({"id": 0, "result": {"action": "accept", "content": None}})

    assert replay.to_client[0]["params"]["url"] == "http://a/login"
    assert replay.to_codex[0]["result"]["action"] == "accept"


@pytest.mark.parametrize(
    "method",
    ["item/tool/call", "account/chatgptAuthTokens/refresh", "attestation/generate", "no/such"],
)
def test_what_a_client_cannot_be_asked_is_refused_and_passed_on(method: str) -> None:
    replay = Replay()
    replay.ask(3, method)

    assert replay.to_codex[0]["id"] == 3
    assert replay.to_codex[0]["error"]["code"] == -32601
    assert replay.to_client[0]["method"] == f"_codex/{method}"
    assert "id" not in replay.to_client[0]


def test_an_elicitation_of_an_unknown_kind_is_cancelled() -> None:
    replay = Replay()
    replay.ask(3, "mcpServer/elicitation/request", serverName="a", mode="openai/userVerification")

    assert replay.to_codex[0]["result"]["action"] == "cancel"


# The rest


def test_a_sub_agent_that_nobody_announced_is_not_taken_for_the_agent() -> None:
    replay = Replay()
    replay.codex("item/agentMessage/delta", threadId="other", itemId="m", delta="hi")

    assert replay.updates[0]["_meta"]["parentToolCallId"] == "other"


def test_the_end_of_a_sub_agents_turn_answers_nobody() -> None:
    replay = Replay()
    replay.prompt()
    replay.codex("turn/completed", threadId="other", turn={"id": "t1", "status": "completed"})

    assert replay.answers == []


def test_what_is_unknown_is_passed_on_as_it_came() -> None:
    replay = Replay()
    replay.codex("some/news", what="ever")
    replay.started(item("hologram"))
    replay.completed(item("hologram"))

    assert [frame["method"] for frame in replay.to_client] == [
        "_codex/some/news",
        "_codex/item/started",
        "_codex/item/completed",
    ]
    assert replay.to_client[0]["params"]["message"]["params"]["what"] == "ever"


def test_rate_limits_are_told_when_they_say_something_new() -> None:
    replay = Replay()
    nothing = {"limitId": "codex", "primary": None}
    something = {"limitId": "codex", "primary": {"usedPercent": 7}}
    for limits in (nothing, something, something):
        replay.codex("account/rateLimits/updated", rateLimits=limits)

    assert len(replay.to_client) == 1


def test_the_diff_of_a_turn_is_told_when_it_changes() -> None:
    replay = Replay()
    for diff in ("+a", "+a", "+a\n+b"):
        replay.codex("turn/diff/updated", diff=diff)

    assert [frame["method"] for frame in replay.to_client] == ["_codex/turn/diff/updated"] * 2


def test_settings_that_changed_elsewhere_are_told_once() -> None:
    replay = Replay()
    settings = {
        "model": "luna",
        "effort": None,
        "approvalPolicy": "never",
        "sandboxPolicy": {"type": "dangerFullAccess"},
    }
    for _ in range(2):
        replay.codex("thread/settings/updated", threadSettings=settings)

    assert kinds(replay) == ["current_mode_update", "config_option_update"]
    assert replay.updates[0]["currentModeId"] == "full-access"


SHAPES: list[Any] = [None, [], "x", 0, {"item": None}, {"item": []}, {"turn": 3}, {"delta": 4}]
METHODS = [
    "error", "item/started", "item/completed", "item/agentMessage/delta", "turn/started",
    "turn/completed", "turn/plan/updated", "thread/tokenUsage/updated", "thread/started",
    "thread/settings/updated", "serverRequest/resolved", "item/fileChange/patchUpdated",
    "item/commandExecution/outputDelta", "item/mcpToolCall/progress", "account/rateLimits/updated",
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_no_shape_of_a_message_is_an_exception(method: str, shape: Any) -> None:
    Replay().feed({"method": method, "params": shape})


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    "method",
    [
        "item/commandExecution/requestApproval",
        "item/fileChange/requestApproval",
        "item/permissions/requestApproval",
        "item/tool/requestUserInput",
        "mcpServer/elicitation/request",
    ],
)
def test_every_request_of_any_shape_is_asked_or_refused(method: str, shape: Any) -> None:
    replay = Replay()
    replay.feed({"id": 0, "method": method, "params": shape})

    assert len([m for m in replay.to_client if "id" in m] + replay.to_codex) == 1


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ("usageLimitExceeded", "quota_exceeded"),
        ("contextWindowExceeded", "context_overflow"),
        ("serverOverloaded", "agent_overloaded"),
        ("rateLimitExceeded", "agent_rate_limited"),
        ("unauthorized", "agent_auth_required"),
        ({"responseTooManyFailedAttempts": {"httpStatusCode": 429}}, "agent_rate_limited"),
        ({"httpConnectionFailed": {"httpStatusCode": 529}}, "agent_overloaded"),
        ("other", "agent_error"),
    ],
)
def test_what_ended_a_turn_has_the_code_that_all_agents_have(info: Any, code: str) -> None:
    replay = Replay()
    replay.prompt()

    replay.end("failed", error={"message": "no", "codexErrorInfo": info})

    assert fault_of(replay.answers[0]["error"])["code"] == code


def test_a_call_that_was_closed_with_its_turn_is_no_new_call_when_codex_ends_it_later() -> None:
    replay = Replay()
    replay.prompt()
    replay.started(COMMAND)
    replay.end("interrupted")
    replay.prompt(2, "t2")

    replay.completed(COMMAND | {"status": "failed", "exitCode": -1})

    calls = [update for update in replay.updates if update.get("toolCallId") == "c1"]
    assert [call["sessionUpdate"] for call in calls] == [
        "tool_call",
        "tool_call_update",
        "tool_call_update",
    ]


def test_a_command_runs_at_once_where_nothing_is_asked_for() -> None:
    replay = Replay(THREAD | {"approvalPolicy": "never", "sandbox": {"type": "dangerFullAccess"}})

    replay.started(COMMAND)
    replay.codex("item/commandExecution/outputDelta", itemId="c1", delta="")

    assert [update["status"] for update in replay.updates] == ["in_progress"]
