"""What the front doors of the package cost to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

_HEAVY = {"asyncio", "socket", "ssl", "http.client", "httpx", "starlette", "anyio"}
_DOORS = ["events", "errors", "frames", "projection", "view", "content", "spi.provider"]


@pytest.mark.parametrize("door", _DOORS)
def test_importing_it_loads_no_input_or_output(door: str) -> None:
    """Pydantic's own imports are taken away: they are not ours to choose."""
    code = f"""
import sys
import pydantic
before = set(sys.modules)
import sandbox_agent_core.{door}
print("\\n".join(set(sys.modules) - before))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert f"sandbox_agent_core.{door}" in loaded
    assert not _HEAVY & set(loaded)
