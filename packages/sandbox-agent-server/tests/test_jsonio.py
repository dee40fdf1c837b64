"""What orjson refuses to write is written all the same, and is JSON for everybody."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from sandbox_agent_server.jsonio import dumps, loads


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"a": float("nan")}, b'{"a":null}'),
        ({"a": [float("inf"), "\ud83d"]}, b'{"a":[null,"\\ud83d"]}'),
        ({"a": 1 << 70, "b": (1.5, float("-inf"))}, b'{"a":1180591620717411303424,"b":[1.5,null]}'),
    ],
)
def test_numbers_that_are_none_are_null(value: Any, written: bytes) -> None:
    assert dumps(value) == written


def test_half_a_character_is_written_and_read() -> None:
    assert loads(dumps({"a": "\ud83d"})) == {"a": "\ud83d"}
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(dumps("\ud83d"))
