"""What a person should be told after an installation."""

from __future__ import annotations

from pathlib import Path

from sandbox_agent_server.install.installer import Installed

__all__ = ["shadowed_note"]


def shadowed_note(installed: Installed, used: str | None) -> str | None:
    """`used` is the program that a session would run: another than ours if one comes before it on the PATH."""
    if used is None or Path(used).resolve() == installed.version.program.resolve():
        return None
    return (
        f"Sessions use {used}, which comes first on the PATH; to use this one remove that, or set "
        f'`command = ["{installed.version.program}"]` in `[agents.{installed.version.agent}]`.'
    )
