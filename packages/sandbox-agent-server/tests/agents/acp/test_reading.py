"""Lines to frames: what passes untouched, and what is told as `unparsed`."""

from __future__ import annotations

import json

import orjson
import pytest
from sandbox_agent_core.frames import extensions
from sandbox_agent_server.agents.acp.reading import read_lines
from sandbox_agent_server.jsonio import dumps
from sandbox_agent_server.runtime.lines import OversizeLine


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","method":"session/update","params":{}}',
        b'{ "jsonrpc" : "2.0", "id" : 0, "result" : null }',
        b'{"id":7,"error":{"code":-32000,"message":"no"}}',
        '{"method":"x","params":{"text":"caf\u00e9 \U0001f600 \u2028"}}'.encode(),
        b'{"method":"x","params":' + b"[" * 150 + b"]" * 150 + b"}",
        b'{"method":"x","params":{"text":"' + b"[{" * 5000 + b'"}}',
    ],
)
def test_a_message_keeps_its_bytes(line: bytes) -> None:
    ((raw, frame),) = read_lines([line])
    assert raw == line
    assert frame == json.loads(line)


@pytest.mark.parametrize(
    "value",
    [
        b'"\\ud83d"',
        b"123456789012345678901234567890",
        b"1e999",
    ],
    ids=["lone surrogate", "huge integer", "huge float"],
)
def test_values_that_orjson_refuses_are_messages_too(value: bytes) -> None:
    line = b'{"method":"x","params":{"value":' + value + b"}}"
    ((raw, frame),) = read_lines([line])
    assert raw == line
    assert frame["method"] == "x"


@pytest.mark.parametrize(
    "line",
    [
        b"plain text",
        b'{"method":"x"',
        b"[]",
        b'[{"method":"x"}]',
        b'"text"',
        b"null",
        b"{}",
        b'{"method":7}',
        b'{"id":1}',
        b'{"method":"x","params":NaN}',
        b'{"method":"x","params":-Infinity}',
        b'{"method":"x","params":"\xff"}',
        b'{"method":"x","params":"\xed\xa0\x80"}',
        b'{"method":"x","params":"tab\there"}',
        b'\xef\xbb\xbf{"method":"x"}',
        b'{"method":"x","params":' + b"9" * 5000 + b"}",
        b'{"method":"x","params":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"method":"x","params":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"method":"x","params":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    ],
)
def test_what_is_no_message_is_told_with_a_reason(line: bytes) -> None:
    ((raw, frame),) = read_lines([line])
    assert frame["method"] == extensions.AGENT_UNPARSED
    assert frame["params"]["reason"]
    assert frame["params"]["text"][:50] == line.decode("utf-8", "backslashreplace")[:50]
    assert orjson.loads(raw) == frame


def test_order_is_kept_and_blank_lines_are_skipped() -> None:
    frames = read_lines([b'{"method":"a"}', b"", b"  \r", b"oops", b'{"method":"b"}'])
    assert [frame["method"] for _, frame in frames] == ["a", extensions.AGENT_UNPARSED, "b"]


def test_a_long_text_is_cut_and_says_so() -> None:
    ((_, frame),) = read_lines([b"x" * 1_000_000])
    assert len(frame["params"]["text"]) == 64 * 1024
    assert "1000000" in frame["params"]["reason"]


def test_a_line_that_was_too_long_is_told_by_its_size() -> None:
    ((_, frame),) = read_lines([OversizeLine(123_456_789)])
    assert frame["method"] == extensions.AGENT_UNPARSED
    assert "123456789" in frame["params"]["reason"]


def test_carriage_returns_between_tokens_do_not_get_into_the_log() -> None:
    """A bare CR would end a line of an event stream."""
    ((raw, frame),) = read_lines([b'{"method":"x",\r"params":{"text":"a\\r\\nb"}}\r'])
    assert raw == b'{"method":"x", "params":{"text":"a\\r\\nb"}}'
    assert frame["params"]["text"] == "a\r\nb"


def test_every_frame_that_is_let_in_can_be_written_again() -> None:
    for depth in range(150, 300):
        ((_, frame),) = read_lines(
            [b'{"method":"x","params":' + b"[" * depth + b"]" * depth + b"}"]
        )
        assert dumps({"payload": {"entry": frame}})
