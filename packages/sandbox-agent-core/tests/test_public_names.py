"""What the package offers, and what it costs to import."""

from __future__ import annotations

import subprocess
import sys

import sandbox_agent_core

_HEAVY = {"asyncio", "socket", "ssl", "http.client", "httpx", "starlette", "anyio"}


def test_public_names_are_sorted_and_exist() -> None:
    names = sandbox_agent_core.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(hasattr(sandbox_agent_core, name) for name in names)


def test_importing_it_loads_no_input_or_output() -> None:
    """Pydantic's own imports are taken away: they are not ours to choose."""
    code = """
import sys
import pydantic
before = set(sys.modules)
import sandbox_agent_core
print("\\n".join(set(sys.modules) - before))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert not _HEAVY & set(loaded)
