"""Bodies and query values: what is read, what is refused, and that a refusal says what was wrong."""

from __future__ import annotations

from typing import Any

import pytest
from asgi_call import http_scope, told_in
from pydantic import BaseModel, ConfigDict
from sandbox_agent_core.errors import (
    InvalidRequest,
    PayloadTooLarge,
    SandboxAgentError,
    UnsupportedMediaType,
)
from sandbox_agent_server.http.body import (
    parse_json,
    query_bool,
    query_choice,
    query_int,
    read_body,
)
from sandbox_agent_server.limits import Limits
from starlette.requests import Request

LIMITS = Limits(max_body_bytes=1024, max_json_depth=8)
JSON = {"content-type": "application/json"}


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = "nothing"
    lines: list[int] = []


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


async def read(
    *parts: bytes, headers: dict[str, str] = JSON, model: type[BaseModel] = Note, **how: Any
) -> Any:
    request = Request(http_scope("POST", "/v1/notes", headers), told_in(*parts, **how))
    return await read_body(request, model, LIMITS)


async def refusal(*parts: bytes, **how: Any) -> SandboxAgentError:
    with pytest.raises(SandboxAgentError) as refused:
        await read(*parts, **how)
    return refused.value


async def test_a_body_is_read_however_it_is_cut() -> None:
    assert await read(b'{"te', b'xt": "h\xc3', b'\xa9"}') == Note(text="hé")


async def test_no_body_is_an_empty_object_of_any_type() -> None:
    for headers in ({}, {"content-type": "text/plain"}):
        assert await read(headers=headers) == Note()
        assert await read(b" \n", headers=headers) == Note()


@pytest.mark.parametrize(
    "kind",
    ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json", " application/json ;x=y"],
)  # fmt: skip
async def test_json_by_any_of_its_names_is_read(kind: str) -> None:
    assert await read(b'{"text": "x"}', headers={"content-type": kind}) == Note(text="x")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json", ""]
)
async def test_a_body_that_does_not_say_it_is_json_is_refused(kind: str) -> None:
    """A web page can send these to any server without asking first."""
    error = await refusal(b'{"text": "x"}', headers={"content-type": kind} if kind else {})
    assert isinstance(error, UnsupportedMediaType)
    assert "application/json" in error.message


# Its size


async def test_a_body_at_the_bound_is_read_and_one_byte_more_is_not() -> None:
    text = b'{"text": "%b"}' % (b"x" * (1024 - 12))
    assert len(text) == 1024
    assert await read(text[:500], text[500:])
    error = await refusal(text[:500], text[500:] + b" ")
    assert isinstance(error, PayloadTooLarge)
    assert error.details == {"limit": "max_body_bytes", "value": 1024}


async def test_a_body_that_says_it_is_too_large_is_not_even_read() -> None:
    # Nothing is told in: to read would be to wait for ever.
    async def receive() -> Any:
        raise AssertionError("it was read")

    scope = http_scope("POST", "/", {**JSON, "content-length": "1025"})
    with pytest.raises(PayloadTooLarge):
        await read_body(Request(scope, receive), Note, LIMITS)


@pytest.mark.parametrize("declared", ["0", "12", "-1", "\u00b2", "1e9", "", "9" * 5000, "0x400"])
async def test_what_a_body_says_of_its_length_is_not_believed(declared: str) -> None:
    headers = {**JSON, "content-length": declared}
    assert isinstance(await refusal(b" " * 1025, headers=headers), PayloadTooLarge)


async def test_a_client_that_leaves_in_the_middle_is_told_apart_from_a_short_body() -> None:
    error = await refusal(b'{"text": "x"}', disconnects=True)
    assert isinstance(error, InvalidRequest)
    assert "left" in error.message


# What is in it


@pytest.mark.parametrize(
    "body",
    [b"{", b"{}{}", b"{'a': 1}", b"{\"a\": 1,}", b"nul", b"\x00", b"{\"a\": 01}", b'{"a": "\n"}', b'{"a": ' + b"9" * 5000 + b"}",
     b"[" * 100_000, b'{"a": ' * 1000],
)  # fmt: skip
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_json(body, LIMITS)
    assert "not JSON" in refused.value.message


@pytest.mark.parametrize(
    "body",
    [b'{"a": "\xff"}', b'{"a": "\xc3\x28"}', b'{"a": "\xed\xa0\x80"}', b'{"a": "\xc0\xaf"}', b"\xff\xfe{\x00}\x00",
     '{"a": 1}'.encode("utf-16-le"), '{"a": 1}'.encode("utf-32"), b'{"a": "caf\xe9"}'],
)  # fmt: skip
def test_json_in_another_encoding_than_utf_8_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_json(body, LIMITS)


def test_a_byte_order_mark_does_no_harm() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}', LIMITS) == {"a": 1}


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"])
@pytest.mark.parametrize("around", [b"%b", b'{"a": [%b]}', b'[[[[[[["x", %b]]]]]]]'])
def test_a_number_that_json_does_not_have_is_refused_at_any_depth(
    number: bytes, around: bytes
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_json(around % number, LIMITS)
    assert "not JSON" in refused.value.message


def test_numbers_and_half_surrogates_that_agents_may_write_are_kept() -> None:
    assert parse_json(b'[18446744073709551617, "\\ud800"]', LIMITS) == [2**64 + 1, "\ud800"]


@pytest.mark.parametrize(("opens", "closes"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_at_the_bound_is_read_and_one_level_more_is_not(
    opens: bytes, closes: bytes
) -> None:
    assert parse_json(opens * 8 + b"1" + closes * 8, LIMITS)
    for levels in (9, 500):
        with pytest.raises(InvalidRequest) as refused:
            parse_json(opens * levels + b"1" + closes * levels, LIMITS)
        assert refused.value.details == {"limit": "max_json_depth", "value": 8}


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"[]", "an array"), (b'"x"', "a string"), (b"7", "a number"), (b"1.5", "a number"), (b"true", "a boolean"),
     (b"null", "null")],
)  # fmt: skip
async def test_a_body_that_is_no_object_is_refused(body: bytes, said: str) -> None:
    assert (await refusal(body)).message == f"the body must be a JSON object, not {said}"


async def test_every_fault_is_named_with_its_place_and_none_repeats_what_was_sent() -> None:
    error = await refusal(b'{"text": 7, "lines": [1, "s3cret"], "colour": "s3cret"}')
    assert [fault["where"] for fault in error.details["errors"]] == ["text", "lines.1", "colour"]
    for where in ("text", "lines.1", "colour"):
        assert where in error.message
    assert "s3cret" not in repr((error.message, error.details))


async def test_members_that_a_model_leaves_open_are_kept() -> None:
    read_back = await read(b'{"a": {"b": [1.5, null]}}', model=Anything)
    assert read_back.model_extra == {"a": {"b": [1.5, None]}}


# The query


def asked(query: str) -> Request:
    return Request(http_scope("GET", "/", query=query.encode()))


def number_in(query: str) -> int:
    return query_int(asked(query), "after", default=7, minimum=0, maximum=10**12)


def test_a_number_of_the_query_is_read_or_has_its_default() -> None:
    assert [number_in(query) for query in ("", "after=0", "after=042", "after=1000000000000")] == [
        7, 0, 42, 10**12,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "-1", "%2B1", "1.0", "1e3", "1_0", "%20 1", "0x1", "x", "\u0661", "\u00b2", "1000000000001", "9" * 19, "9" * 5000],
)  # fmt: skip
def test_what_is_no_number_in_the_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        number_in(f"after={text}")
    assert "`after`" in refused.value.message
    assert len(refused.value.message) < 200


def test_a_switch_of_the_query_is_read_in_the_words_of_json_and_as_a_digit() -> None:
    said = ["wait=true", "wait=True", "wait=1", "wait=false", "wait=0", ""]
    assert [query_bool(asked(one), "wait", default=False) for one in said] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
    assert query_bool(asked(""), "wait", default=True) is True
    for text in ("", "yes", "on", "2", "truetrue"):
        with pytest.raises(InvalidRequest):
            query_bool(asked(f"wait={text}"), "wait", default=False)


def test_the_first_choice_is_the_default_and_no_other_word_is_taken() -> None:
    choices = ("universal", "frames")
    assert query_choice(asked(""), "view", choices) == "universal"
    assert query_choice(asked("view=frames"), "view", choices) == "frames"
    for text in ("", "Frames", "frames,universal", "x" * 5000):
        with pytest.raises(InvalidRequest) as refused:
            query_choice(asked(f"view={text}"), "view", choices)
        assert "universal, frames" in refused.value.message
        assert len(refused.value.message) < 200
