"""What the shell is offered when somebody presses Tab. It is quick or silent: an error would end up in the prompt."""

from __future__ import annotations

import asyncio
from typing import Final

from sandbox_agent_client.cli.archive import Row, open_archives
from sandbox_agent_client.cli.target import resolve_target
from sandbox_agent_client.cli.variables import TOKEN_VARIABLE
from sandbox_agent_client.sandboxes.plugins import installed_providers

__all__ = ["complete_agents", "complete_providers", "complete_sessions"]

TIMEOUT_S = 2.0
MAX_SESSIONS = 50
"""The newest."""
AGENTS: Final = (
    *("amp", "auggie", "claude", "cline", "codex", "copilot", "cursor", "droid", "fast-agent"),
    *("gemini", "grok", "kilo", "kimi", "mock", "opencode", "pi", "qoder", "qwen", "vibe"),
)
"""Those that every server knows."""


def complete_agents(incomplete: str) -> list[str]:
    return [name for name in AGENTS if name.startswith(incomplete)]


def complete_providers(incomplete: str) -> list[str]:
    return [name for name in installed_providers() if name.startswith(incomplete)]


def complete_sessions(incomplete: str) -> list[tuple[str, str]]:
    """Those that a command without `--url` would find, with their titles."""
    try:
        rows = asyncio.run(_rows())
    except Exception:  # noqa: BLE001 - whatever it is, there is nothing to offer
        return []
    return [
        (row.id, row.title or row.first_prompt or f"{row.agent}, {row.status}")
        for row in rows
        if row.id.startswith(incomplete)
    ]


async def _rows() -> list[Row]:
    async with (
        asyncio.timeout(TIMEOUT_S),
        open_archives(resolve_target(url=None, token_env=TOKEN_VARIABLE)) as archives,
    ):
        return [row for archive in archives for row in await archive.rows(MAX_SESSIONS)]
