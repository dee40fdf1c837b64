"""`sandbox-agent diff`: what a session, or anybody, has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text
from sandbox_agent_core.api.git import GitDiff, SessionDiff
from sandbox_agent_core.changes import ChangedFile

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import ExitCode, finish
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, Json, TokenEnv, Url
from sandbox_agent_client.cli.plain import visible
from sandbox_agent_client.cli.target import Target, resolve_server
from sandbox_agent_client.cli.terminal import is_terminal
from sandbox_agent_client.errors import SessionNotFound

__all__ = ["add_diff_command"]

BAR_WIDTH = 30
_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_HEADS = (
    "diff ",
    "index ",
    "--- ",
    "+++ ",
    "rename ",
    "copy ",
    "similarity ",
    "new file",
    "deleted file",
)
_LETTERS = {"added": "A", "deleted": "D", "renamed": "R", "copied": "C", "type_changed": "T"}

What = Annotated[
    str,
    typer.Argument(
        metavar="[SESSION|DIR]",
        help="A session: what its turns have changed. A directory of the sandbox, with a `/` or `.` in it: what "
        "differs from the last commit there.",
        show_default=False,
    ),
]
Turn = Annotated[
    str | None,
    typer.Option("--turn", metavar="ID", help="Only this turn of the session.", show_default=False),
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base", metavar="REF", help="Compare with this branch, tag or commit; `merge-base`: where the branch began. Default: HEAD.",
        show_default=False,
    ),
]  # fmt: skip
Stat = Annotated[bool, typer.Option("--stat", help="Files and numbers of lines, no patch.")]


def add_diff_command(app: Commands, *, panel: str) -> None:
    app.command("diff", rich_help_panel=panel)(_diff)


def _diff(
    what: What = ".",
    turn: Turn = None,
    base: Base = None,
    stat: Stat = False,
    json: Json = False,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Show what a session has changed, or what differs from a commit."""
    is_directory = "/" in what or what.startswith((".", "~"))
    if turn is not None and is_directory:
        raise typer.BadParameter("a directory has no turns", param_hint="--turn")
    if base is not None and not is_directory:
        raise typer.BadParameter("that is for a directory; a session begins where its first turn did", param_hint="--base")  # fmt: skip
    target = resolve_server(url, token_env)
    finish(_show(target, what, turn, base or "HEAD", is_directory, as_json=json, stat=stat))


async def _show(
    target: Target,
    what: str,
    turn: str | None,
    base: str,
    is_directory: bool,
    *,
    as_json: bool,
    stat: bool,
) -> ExitCode:
    async with target.open() as client:
        if is_directory:
            found: GitDiff | SessionDiff = await client.git.diff(what, base=base)
        else:
            found = await _of_session(client, what, turn)
    if as_json:
        print(found.model_dump_json(by_alias=True, exclude_none=True))
    elif stat:
        _print_stat(found.files, found)
    elif is_terminal():
        Console(highlight=False, soft_wrap=True).print(_coloured(found.patch), end="")
        _remark(found)
    else:
        print(found.patch, end="")
    return ExitCode.OK


async def _of_session(client: SandboxAgent, id: str, turn: str | None) -> SessionDiff:
    try:
        session = await client.get_session(id)
    except SessionNotFound as exc:
        raise SessionNotFound(
            f"{exc.message}; a directory is written with a `/`: `./{id}`", **exc.details
        ) from exc
    return await session.diff(turn)


def _coloured(patch: str) -> Text:
    text = Text()
    for line in patch.splitlines():
        style = "bold" if line.startswith(_HEADS) else _STYLES.get(line[:1], "")
        text.append(visible(line) + "\n", style)
    return text


def _print_stat(files: Sequence[ChangedFile], found: GitDiff | SessionDiff) -> None:
    console = Console(highlight=False, soft_wrap=True)
    widest = max((_lines_of(file) for file in files), default=0)
    names = [_name(file) for file in files]
    width = max(map(len, names), default=0)
    for file, name in zip(files, names, strict=True):
        line = Text(f"{_LETTERS.get(file.status, 'M')} {name:<{width}} ")
        if file.binary:
            line.append("binary", "dim")
        else:
            scale = min(1.0, BAR_WIDTH / widest) if widest else 1.0
            line.append(f"{_lines_of(file):>6} ", "dim")
            for count, sign in ((file.additions or 0, "+"), (file.deletions or 0, "-")):
                line.append(sign * (max(1, round(count * scale)) if count else 0), _STYLES[sign])
        console.print(line)
    _remark(found)


def _lines_of(file: ChangedFile) -> int:
    return (file.additions or 0) + (file.deletions or 0)


def _name(file: ChangedFile) -> str:
    moved = f"{file.old_path} → " if file.old_path is not None else ""
    return visible(moved + file.path).replace("\n", " ")


def _remark(found: GitDiff | SessionDiff) -> None:
    """The last line, on stderr."""
    totals = found.totals
    files = f"{totals.files} file{'' if totals.files == 1 else 's'} changed"
    words = [
        f"{files}, +{totals.additions} -{totals.deletions}" if totals.files else "nothing changed"
    ]
    if found.truncated:
        words.append("not all of it is shown")
    if isinstance(found, SessionDiff) and found.skipped is not None:
        words.append(f"of some turns nothing is known: {visible(found.skipped)}")
    Console(stderr=True, highlight=False, soft_wrap=True).print("; ".join(words), style="dim")
