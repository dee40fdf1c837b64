"""What listens, as the kernel's tables say it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from sandbox_agent_core.errors import OperationNotSupported, PortForbidden
from sandbox_agent_server.host.ports.listening import Listener, listeners, owners
from sandbox_agent_server.host.ports.rules import PortRules

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: {address}:{port} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1\n"


def row(address: str, port: str, inode: int, state: str = "0A") -> str:
    return ROW.format(address=address, port=port, inode=inode, state=state)


def test_tables_of_both_families_are_read(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_text(
        HEAD
        + row("0100007F", "0BB8", 11)
        + row("00000000", "0016", 12)
        + row("0100007F", "0BB9", 13, state="01")
        # Two sockets of SO_REUSEPORT.
        + row("0100007F", "0BB8", 14)
    )
    (tmp_path / "net/tcp6").write_text(
        HEAD + row("0" * 24 + "01000000", "0BB8", 15) + row("0" * 32, "1F90", 16)
    )
    assert listeners(tmp_path) == [
        Listener(22, "0.0.0.0", 12),
        Listener(3000, "127.0.0.1", 11),
        Listener(3000, "::1", 15),
        Listener(8080, "::", 16),
    ]


def test_a_machine_without_the_tables_says_so(tmp_path: Path) -> None:
    with pytest.raises(OperationNotSupported):
        listeners(tmp_path)


def test_an_open_port_is_found_with_its_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        (listener,) = [one for one in listeners() if one.port == number]
        assert listener.address == "127.0.0.1"
        owner = owners({listener.inode})[listener.inode]
        assert owner.pid == os.getpid()
        assert owner.program == Path("/proc/self/comm").read_text().strip()


@pytest.mark.parametrize(
    ("allow", "deny", "open_", "closed"),
    [
        ((), (), [1, 3000, 65535], [2468]),
        (("3000", "8000-8010"), (), [3000, 8000, 8010], [2999, 8011, 2468]),
        (("3000-3999",), ("3306",), [3000, 3999], [3306]),
        ((), ("1-65535",), [], [1, 65535]),
    ],
)
def test_rules_close_ports(
    allow: tuple[str, ...], deny: tuple[str, ...], open_: list[int], closed: list[int]
) -> None:
    rules = PortRules(allow=allow, deny=deny)
    for port in open_:
        rules.check(port, own=2468)
    for port in closed:
        with pytest.raises(PortForbidden) as refused:
            rules.check(port, own=2468)
        assert refused.value.details["port"] == port
