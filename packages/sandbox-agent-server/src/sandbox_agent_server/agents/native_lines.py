"""Lines of an agent with a protocol of its own: a message each, or the fact that it is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox_agent_core.spi.agent import WireFrame

from sandbox_agent_server import jsonio
from sandbox_agent_server.agents.acp.reading import unparsed
from sandbox_agent_server.runtime.lines import OversizeLine

__all__ = ["native_messages"]


def native_messages(lines: list[bytes]) -> Iterator[tuple[bytes, dict[str, Any] | WireFrame]]:
    """`(line, message)` in order, blank lines left out; what is no JSON object is an `unparsed` fact."""
    for line in lines:
        if isinstance(line, OversizeLine):
            yield line, unparsed(line, f"the line is too long: {line.size_bytes} bytes")
        elif line.strip():
            yield line, _message(line)


def _message(line: bytes) -> dict[str, Any] | WireFrame:
    try:
        message = jsonio.loads(line)
    except (ValueError, RecursionError) as exc:
        return unparsed(line, f"not JSON: {exc}")
    return message if isinstance(message, dict) else unparsed(line, "not a JSON object")
