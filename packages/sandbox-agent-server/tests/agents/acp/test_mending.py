"""What can be told of a line that cannot be read. How lines are read is in test_reading.py."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_server.agents.acp.mending import members_at_head


@pytest.mark.parametrize(
    ("line", "members"),
    [
        (b'{"type":"result","is_error":false,"n":1.5,"usage":{"a":1}', {"type": "result", "is_error": False, "n": 1.5}),
        (b' {"type" : "agent_end" , "messages":[', {"type": "agent_end"}),
        (b'{"a":"\\u00e9\\"","b":null}', {"a": 'é"', "b": None}),
        (b'{"a":"cut in the mid', {}),
        (b'[1]', {}),
        (b"progress", {}),
        (b"", {}),
    ],
)  # fmt: skip
def test_the_beginning_of_a_line_tells_what_it_was(line: bytes, members: dict[str, Any]) -> None:
    assert members_at_head(line) == members
