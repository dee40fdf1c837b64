"""`sandbox-agent wheelhouse`: everything that the server needs, in a directory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import of_error
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.errors import SandboxAgentError
from sandbox_agent_client.sandboxes.wheelhouse import build_wheelhouse, default_platforms

__all__ = ["wheelhouse_app"]

wheelhouse_app = Commands(
    help="A directory with everything that the server needs, for sandboxes without network.",
)


@wheelhouse_app.command("build")
def build(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Made when it is missing.")],
    python: Annotated[
        str | None,
        typer.Option(
            metavar="3.N", help="The sandbox's Python. Default: this one's.", show_default=False
        ),
    ] = None,
    platform: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TAG",
            help="As pip names it, such as manylinux_2_28_aarch64 or musllinux_1_2_x86_64; repeat for "
            "more. Default: Linux with glibc on this machine's processor.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Download what the server needs with pip, as it is configured here, and add the server itself.

    Call it again for another Python: the directory then serves both.
    """
    version = python or f"3.{sys.version_info.minor}"
    try:
        files = build_wheelhouse(
            directory, python=version, platforms=platform or default_platforms()
        )
    except SandboxAgentError as exc:
        print(f"sandbox-agent: {plain(exc.message)}", file=sys.stderr)
        raise typer.Exit(int(of_error(exc))) from exc
    size = sum(path.stat().st_size for path in files)
    print(f"{len(files)} files, {size / 1e6:.1f} MB in {directory}")
