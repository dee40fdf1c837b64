"""Lines to frames: what passes untouched, and what is told as `unparsed`."""

from __future__ import annotations

import json
from typing import Any

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
        b"[1]",
        b'"text"',
        b"null",
        b"{}",
        b'{"method":7}',
        b'> {"method":"x"}',
        b'\x1b[32mDEBUG\x1b[0m {"method":"x"}',
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


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"NaN", None),
        (b"[Infinity,-Infinity]", [None, None]),
        (b'"caf\xe9"', "caf\ufffd"),
        (b'"tab\there"', "tab\there"),
        (b"9" * 5000, "9" * 5000),
    ],
    ids=["NaN", "infinities", "Latin-1", "control character", "5000 digits"],
)
def test_values_that_are_no_json_are_read_and_written_again(written: bytes, read: object) -> None:
    line = b'{"jsonrpc":"2.0","id":7,"method":"x","params":{"a":' + written + b"}}"
    ((raw, frame),) = read_lines([line])
    assert frame == {"jsonrpc": "2.0", "id": 7, "method": "x", "params": {"a": read}}
    assert orjson.loads(raw) == frame


@pytest.mark.parametrize(
    "id", [1 << 70, -(1 << 64), 10**400, 0, 1.5, "1", "é", True, [1], {"a": 1}], ids=str
)
def test_an_id_is_what_the_agent_wrote(id: object) -> None:
    ((_, asked), (_, answer)) = read_lines(
        [
            json.dumps({"jsonrpc": "2.0", "id": id, "method": "x"}).encode(),
            json.dumps({"jsonrpc": "2.0", "id": id, "result": {}}).encode(),
        ]
    )
    assert json.dumps(asked["id"]) == json.dumps(answer["id"]) == json.dumps(id)
    assert dumps(asked["id"]) == json.dumps(id, ensure_ascii=False).replace(" ", "").encode()


@pytest.mark.parametrize(
    "line",
    [
        b'\xef\xbb\xbf{"method":"x"}',
        b'\x1b]0;my {agent}\x07{"method":"x"}',
        b'\x1b]0;my agent\x1b\\{"method":"x"}',
        b'\x1b[?25l\x1b[2K{"method":"x"}\x1b[0m',
        b'progress 10%\rprogress 100%\r{"method":"x"}\r',
        b'\xe2\xa0\x8b loading \x1b[1G\x1b[2K{"method":"x"}',
        b'\x00\x00{"method":"x"}\x00',
        b'\xef\xbb\xbf{"method":"x"}\x1b[0m\r',
    ],
)
def test_what_a_terminal_would_not_keep_is_taken_off(line: bytes) -> None:
    ((raw, frame),) = read_lines([line])
    assert frame == {"method": "x"}
    assert raw == b'{"method":"x"}'


def test_messages_between_carriage_returns_are_messages() -> None:
    frames = read_lines([b'working\r{"method":"a"}\r{"method":"b"}'])
    assert [frame["method"] for _, frame in frames] == ["a", "b"]


def test_a_batch_is_its_messages() -> None:
    frames = read_lines([b'[{"id":1,"method":"a"},{"method":"b"}]'])
    assert [frame["method"] for _, frame in frames] == ["a", "b"]
    assert [raw for raw, _ in frames] == [b'{"id":1,"method":"a"}', b'{"method":"b"}']


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (b'{"id":1,"result":{},"error":null}', {"id": 1, "result": {}}),
        (b'{"id":1,"method":null,"result":{}}', {"id": 1, "result": {}}),
        (b'{"id":1}', {"id": 1, "result": None}),
        (b'{"jsonrpc":"2.0","id":"a"}', {"jsonrpc": "2.0", "id": "a", "result": None}),
    ],
)
def test_an_answer_in_other_words_is_an_answer(line: bytes, read: object) -> None:
    ((raw, frame),) = read_lines([line])
    assert frame == orjson.loads(raw) == read


DEEP = b"[" * 300 + b"]" * 300


@pytest.mark.parametrize(
    ("line", "id", "method"),
    [
        (b'{"jsonrpc":"2.0","id":77,"method":"m","params":' + DEEP + b"}", 77, "m"),
        (b'{"id":"a\\"b","jsonrpc":"2.0","method":"m","params":{"cut', 'a"b', "m"),
        (b'\x1b]0;t\x07 { "method" : "m" , "id" : 0 , "params" : nope}', 0, "m"),
        (b'{"method":"m","params":' + DEEP + b"}", None, "m"),
        (b'{"id":5,"method":7,"params":{}}', 5, "7"),
        (OversizeLine(99, b'{"jsonrpc":"2.0","id":5,"method":"m","params":{"x":"aaa'), 5, "m"),
        (b'{"params":{"id":1,"method":"m"', None, None),
        (b"nothing like it", None, None),
    ],
)
def test_what_was_lost_is_told(line: bytes, id: object, method: object) -> None:
    ((_, frame),) = read_lines([line])
    params = frame["params"]
    assert (params.get("rpcId"), params.get("method")) == (id, method)


def test_of_an_output_that_is_too_long_the_end_of_its_tool_call_is_kept() -> None:
    update = {"sessionUpdate": "tool_call_update", "toolCallId": 't"1', "status": "completed"}
    params = {"sessionId": "s", "update": {**update, "content": "x" * 9000}}
    line = json.dumps({"jsonrpc": "2.0", "method": "session/update", "params": params}).encode()
    (_, told), (raw, ended) = read_lines([OversizeLine(99, line)])
    assert told["method"] == extensions.AGENT_UNPARSED
    assert ended["params"] == {"sessionId": "s", "update": update}
    assert orjson.loads(raw) == ended
    for other in (b"in_progress", b"pending"):
        assert len(read_lines([OversizeLine(99, line.replace(b"completed", other))])) == 1


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":3,"result":' + DEEP + b"}",
        OversizeLine(99, b'{"jsonrpc":"2.0","id":3,"result":{"x":"aaa'),
        b'{"jsonrpc":"2.0","id":3,"error":{"message":"cut',
    ],
)
def test_a_lost_answer_is_an_error(line: bytes) -> None:
    (_, told), (raw, answer) = read_lines([line])
    assert told["method"] == extensions.AGENT_UNPARSED
    assert "rpcId" not in told["params"]
    assert (answer["id"], answer["error"]["code"]) == (3, -32700)
    assert orjson.loads(raw) == answer


@pytest.mark.parametrize("id", [{}, {"id": 4}])
@pytest.mark.parametrize(
    "method",
    ['"_sandbox_agent/error"', r'"\u005fsandbox_agent/session.ended"', '"_sandbox_agent/x"'],
)
def test_the_words_of_the_server_are_not_taken_from_an_agent(method: str, id: Any) -> None:
    frame = json.dumps({"jsonrpc": "2.0", **id, "params": {"a": 1}})
    line = f'{frame[:-1]}, "method": {method}}}'.encode()
    ((raw, read),) = read_lines([line])
    assert read["method"] == "_agent/" + json.loads(method)
    assert read["params"] == {"a": 1}
    assert json.loads(raw) == read


def test_an_extension_of_an_agent_keeps_its_bytes() -> None:
    line = b'{ "method":"_acme/x" }'
    assert read_lines([line]) == [(line, {"method": "_acme/x"})]


def test_order_is_kept_and_blank_lines_are_skipped() -> None:
    frames = read_lines([b'{"method":"a"}', b"", b"  \r", b"oops", b'{"method":"b"}'])
    assert [frame["method"] for _, frame in frames] == ["a", extensions.AGENT_UNPARSED, "b"]


def test_a_long_text_is_cut_and_says_so() -> None:
    ((_, frame),) = read_lines([b"x" * 1_000_000])
    assert len(frame["params"]["text"]) == 64 * 1024
    assert "1000000" in frame["params"]["reason"]


def test_a_line_that_was_too_long_is_told_by_its_size_and_its_head() -> None:
    ((_, frame),) = read_lines([OversizeLine(123_456_789, b"x" * 5000)])
    assert frame["method"] == extensions.AGENT_UNPARSED
    assert "123456789" in frame["params"]["reason"]
    assert frame["params"]["text"] == "x" * 4096


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
