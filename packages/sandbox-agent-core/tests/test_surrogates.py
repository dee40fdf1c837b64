"""Halves of characters: joined where both are there, replaced where one is alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from entries import agent, server, update
from hypothesis import given
from hypothesis import strategies as st
from sandbox_agent_core.events import MessageDelta
from sandbox_agent_core.projection import project, project_wire
from sandbox_agent_core.surrogates import has_halves, mended, split_half, whole

HIGH, LOW = "\ud83e", "\udd8a"
any_text = st.text(st.sampled_from([*"aé🦊\0\n", HIGH, LOW]), max_size=8)
json_values = st.recursive(
    st.none() | st.integers() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain é🦊\0\x1b\ufeff", "plain é🦊\0\x1b\ufeff"),
        (HIGH + LOW, "🦊"),
        (HIGH, "\ufffd"),
        (LOW + HIGH, "\ufffd\ufffd"),
        ("\udcff", "\ufffd"),
    ],
)
def test_halves_are_joined_or_replaced(text: str, expected: str) -> None:
    assert whole(text) == expected


@given(st.lists(any_text, max_size=6))
def test_pieces_that_hold_their_last_half_back_join_to_the_whole(pieces: list[str]) -> None:
    shown, half = "", ""
    for piece in pieces:
        text, half = split_half(half + piece)
        shown += whole(text)
    assert shown + whole(half) == whole("".join(pieces))


@given(json_values)
def test_a_mended_value_can_be_encoded_and_is_otherwise_the_same(value: Any) -> None:
    before = json.dumps(value)
    result = mended(value)
    json.dumps(result, ensure_ascii=False).encode()
    assert json.dumps(value) == before
    assert not has_halves(result)
    if not has_halves(value):
        assert result is value


def test_very_deep_values_are_mended() -> None:
    deep: Any = [HIGH]
    for _ in range(5000):
        deep = [deep]
    found = mended(deep)
    while isinstance(found, list):
        found = found[0]
    assert found == "\ufffd"


def test_a_delta_begins_with_the_half_before_it_and_holds_its_own_back() -> None:
    content = {"type": "text", "text": f"{LOW} and {HIGH}"}
    stamps = {"annotations": {"half": HIGH}}
    delta = project(update("agent_message_chunk", content=content, stamps=stamps))
    assert isinstance(delta, MessageDelta)
    assert delta.text == "🦊 and "


@pytest.mark.parametrize(
    "entry",
    [
        update("tool_call", toolCallId=HIGH, title=HIGH, rawInput={HIGH: [HIGH]}),
        update("something new", text=[{HIGH: HIGH}]),
        update("agent_message_chunk", messageId=HIGH, content={"type": HIGH, "data": HIGH}),
        update("agent_thought_chunk", content={"type": "text", "text": LOW, "more": HIGH}),
        agent("session/request_permission", {"options": [{"optionId": HIGH}]}, id=7),
        agent("elicitation/create", {"message": HIGH}, id=7),
        agent(f"_vendor/{HIGH}", {HIGH: HIGH}),
        server(
            "message.completed", {"messageId": HIGH, "content": [{"type": "text", "text": HIGH}]}
        ),
        server("message.delta", {"messageId": HIGH, "text": "\ufffd"}),
        server("error", {"code": "agent_error", "message": HIGH}),
    ],
)
def test_an_event_of_either_form_can_be_encoded(entry: Any) -> None:
    event = project(entry)
    assert event is not None
    for wire in (project_wire(entry), event.to_wire()):
        json.dumps(wire, ensure_ascii=False).encode()
