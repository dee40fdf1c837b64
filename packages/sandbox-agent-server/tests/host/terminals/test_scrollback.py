"""What is shown again does not act again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_agent_server.host.terminals.scrollback import replayed


@pytest.mark.parametrize(
    "asks",
    [b"\x1b[c", b"\x1b[0c", b"\x1b[>c", b"\x1b[>0c", b"\x1b[=c", b"\x1b[6n", b"\x1b[?6n", b"\x1b[5n", b"\x1b[?2026$p",
     b"\x1b[>q", b"\x1b[>0q", b"\x1b[?u", b"\x1b[14t", b"\x1b[18t", b"\x1b]11;?\x07", b"\x1b]10;?\x1b\\",
     b"\x1b]4;12;?\x07", b"\x1bP+q544e\x1b\\", b"\x1bP$qm\x1b\\", b"\x05", b"\x1b]52;c;ZGF0YQ==\x07",
     b"\x1b]52;c;?\x1b\\"],
)  # fmt: skip
def test_questions_and_the_clipboard_are_left_out(asks: bytes) -> None:
    assert replayed(b"before" + asks + b"after", is_cut=False) == b"beforeafter"


@pytest.mark.parametrize(
    "shown",
    [b"\x1b[31mred\x1b[0m", b"\x1b[2J\x1b[H", b"\x1b[?1049h", b"\x1b[12;40H", b"\x1b]0;title\x07", b"\x1b[6m",
     b"\x1b]11;#ffffff\x07", b"\x1b]8;;https://example.com\x1b\\link", b"\x1b[1t", b"\x1b[8;24;80t", b"\x1b[5 q",
     "caf\u00e9 \u2603".encode(), b"\x1b[?25l", b"\x1b[>4;1m"],
)  # fmt: skip
def test_everything_else_stays(shown: bytes) -> None:
    assert replayed(shown, is_cut=False) == shown


@pytest.mark.parametrize(
    ("data", "shown"),
    [(b"31mhalf\nwhole\n", b"whole\n"), (b"31mhalf\x1b[0mrest", b"\x1b[0mrest"), ("\u2603ab".encode()[1:], b"ab"),
     (b"", b""), (b"\n", b""), (b"plain", b"plain")],
)  # fmt: skip
def test_a_cut_is_made_where_a_line_begins(data: bytes, shown: bytes) -> None:
    assert replayed(data, is_cut=True) == shown


@given(st.binary(max_size=2000), st.booleans())
def test_any_output_is_shown_without_a_question(data: bytes, is_cut: bool) -> None:
    shown = replayed(data, is_cut=is_cut)
    assert len(shown) <= len(data)
