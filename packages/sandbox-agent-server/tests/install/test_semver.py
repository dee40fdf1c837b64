"""npm's versions and ranges, as packages write them."""

from __future__ import annotations

import pytest
from sandbox_agent_server.install.semver import VersionRange, newer_first, numbers


@pytest.mark.parametrize(
    ("text", "admitted", "refused"),
    [
        (">=22.19.0", ["22.19.0", "24.0.0"], ["22.18.9", "20.20.2"]),
        (">=20", ["20.0.0"], ["18.9.9"]),
        (">= 22.0.0", ["22.0.0"], ["21.9.9"]),
        (">22", ["23.0.0"], ["22.5.0"]),
        (">=18 <23", ["22.9.9"], ["23.0.0"]),
        ("<=20", ["20.9.9"], ["21.0.0"]),
        ("^20.19.0 || >=22.12", ["20.19.1", "24.1.0"], ["20.18.0", "21.0.0", "22.11.0"]),
        ("18 || 20.x", ["18.1.0", "20.5.0"], ["19.0.0"]),
        ("18 - 20", ["20.9.0"], ["21.0.0"]),
        ("~22.3", ["22.3.9"], ["22.4.0"]),
        ("^0.3.1", ["0.3.5"], ["0.4.0"]),
        (">=24.0.0-0", ["24.0.0"], ["23.0.0"]),
        ("*", ["1.0.0"], []),
        ("", ["1.0.0"], []),
        ("lts", ["1.0.0"], []),
    ],
)
def test_a_range_admits_what_npm_admits(text: str, admitted: list[str], refused: list[str]) -> None:
    wanted = VersionRange.parse(text)
    assert [v for v in admitted if not wanted.admits(numbers(v) or (0, 0, 0))] == []
    assert [v for v in refused if wanted.admits(numbers(v) or (0, 0, 0))] == []


def test_the_newest_version_comes_first() -> None:
    ordered = ["1.10.0", "1.9.0", "1.9.0-rc.10", "1.9.0-rc.2", "1.9.0-alpha", "1.9.0-10", "x"]
    assert sorted(sorted(ordered), key=newer_first) == ordered
