from __future__ import annotations

from sandbox_agent_server.runtime.stderr_tail import StderrTail


def test_only_the_newest_whole_lines_are_kept() -> None:
    tail = StderrTail(limit_bytes=30)
    for number in range(1000):
        tail.feed(f"line {number}\n".encode())
    assert tail.text() == "line 997\nline 998\nline 999"


def test_one_line_over_the_limit_keeps_its_end() -> None:
    tail = StderrTail(limit_bytes=10)
    tail.feed(b"x" * 100 + b"the end")
    assert tail.text() == "xxxthe end"


def test_what_is_not_utf8_is_replaced() -> None:
    tail = StderrTail()
    tail.feed(b"caf\xe9\n")
    assert tail.text() == "caf\N{REPLACEMENT CHARACTER}"


def test_secrets_do_not_get_out() -> None:
    tail = StderrTail(secrets=["hunter2hunter2"])
    tail.feed(b"bad key sk-ant-api03-abcdefghijkl, password hunter2hunter2\n")
    assert tail.text() == "bad key sk-ant-***, password ***"


def test_a_secret_cut_in_half_is_dropped_with_its_line() -> None:
    tail = StderrTail(limit_bytes=30)
    tail.feed(b"token=abcdefghijklmnopqrstuvwxyz0123456789\nthe end\n")
    assert tail.text() == "the end"
