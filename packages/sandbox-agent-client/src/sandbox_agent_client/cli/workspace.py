"""What is to be in a sandbox that a command makes: `--repo` and `--workspace`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sandbox_agent_client.errors import InvalidRequest
from sandbox_agent_client.workspace import Workspace

__all__ = ["Repo", "WorkspaceFile", "workspace_of"]

Repo = Annotated[
    str | None,
    typer.Option(
        "--repo",
        metavar="URL[#REF]",
        help="Clone this repository into the sandbox that is made, and work there.",
        show_default=False,
    ),
]
WorkspaceFile = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        metavar="FILE",
        help="A repository, files and commands for the sandbox that is made: a .json, .toml or .yaml file.",
        show_default=False,
    ),
]


def workspace_of(repo: str | None, file: Path | None) -> Workspace | None:
    """Raises: typer.BadParameter."""
    try:
        workspace = Workspace.load(file) if file is not None else None
        if repo is None:
            return workspace
        url, _, ref = repo.partition("#")
        return replace(
            workspace or Workspace(), repo=url, ref=ref or (workspace.ref if workspace else None)
        )
    except InvalidRequest as exc:
        raise typer.BadParameter(exc.message) from exc
