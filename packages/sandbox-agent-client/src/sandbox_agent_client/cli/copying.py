"""`sandbox-agent cp`: files and directories between this machine and a sandbox."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import finish
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, TokenEnv, Url
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.provider_options import Options, Provider, chosen_providers
from sandbox_agent_client.cli.target import resolve_server
from sandbox_agent_client.errors import PathNotFound
from sandbox_agent_client.sandboxes.inventory import take_inventory

__all__ = ["add_cp_command"]

STREAM: Final = "-"
EPILOG = """\
\b
Examples:
  sandbox-agent cp notes.txt :                   into the home of the sandbox
  sandbox-agent cp ./repo :/repo                 a directory with all it has
  sandbox-agent cp :/repo/dist .                 and back
  sandbox-agent cp box1:/var/log/app.log -       of the sandbox box1, to stdout
  tar cz . | sandbox-agent cp - :/tmp/all.tgz    from stdin
"""


@dataclass(frozen=True, slots=True)
class Side:
    path: str
    sandbox: str | None
    """Its name; empty for that of --url. None: this machine."""

    @property
    def is_remote(self) -> bool:
        return self.sandbox is not None

    @property
    def name(self) -> str:
        """What a copy of it is called."""
        return Path(self.path.rstrip("/")).name

    def local(self) -> Path:
        return Path(self.path).expanduser()


def add_cp_command(app: Commands, *, panel: str) -> None:
    app.command("cp", epilog=EPILOG, rich_help_panel=panel)(_cp)


def _cp(
    source: Annotated[
        str, typer.Argument(metavar="SRC", help="A file or a directory; `-` is stdin.")
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="DST",
            help="Where to; into it, if it is a directory or ends with `/`. `-` is stdout.",
        ),
    ],
    provider: Provider = None,
    option: Options = None,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Copy between this machine and a sandbox: `:PATH` is in that of --url, `SANDBOX:PATH` in the one of that id or
    name. A relative PATH begins at the home there. A local name with a colon is written `./a:b`.
    """
    here, there = _side(source), _side(target)
    if here.is_remote == there.is_remote:
        raise typer.BadParameter("one of the two is in a sandbox: write `:PATH` or `SANDBOX:PATH`")
    name = here.sandbox or there.sandbox
    if name and url is not None:
        raise typer.BadParameter("give either --url or the name of a sandbox")
    finish(_copy(here, there, url, token_env, provider, option))


def _side(text: str) -> Side:
    name, colon, path = text.partition(":")
    if not colon or "/" in name or text == STREAM:
        return Side(text, None)
    return Side(path or ".", name)


async def _copy(
    source: Side,
    target: Side,
    url: str | None,
    token_env: str,
    provider: str | None,
    option: list[str] | None,
) -> None:
    async with _opened(
        source.sandbox or target.sandbox, url, token_env, provider, option
    ) as client:
        if source.is_remote:
            await _download(client, source, target)
        else:
            await _upload(client, source, target)


@asynccontextmanager
async def _opened(
    name: str | None,
    url: str | None,
    token_env: str,
    provider: str | None,
    option: list[str] | None,
) -> AsyncIterator[SandboxAgent]:
    if not name:
        async with resolve_server(url, token_env).open() as client:
            yield client
        return
    item = (await take_inventory(chosen_providers(provider, option))).find(name)
    async with SandboxAgent.start(item.provider, ref=item.info.ref, keep=True) as client:
        yield client


async def _upload(client: SandboxAgent, source: Side, target: Side) -> None:
    if source.path == STREAM:
        await client.fs.write(target.path, sys.stdin.buffer)
        return
    local = source.local()
    local.stat()  # before anything is asked of the sandbox
    path = target.path
    if local.is_dir() and source.path.endswith("/."):
        pass  # what is in it
    elif path.endswith("/") or await _is_remote_directory(client, path):
        path = f"{path.rstrip('/')}/{local.resolve().name}"
    with Bar(f"{source.path} → {target.path}") as bar:
        await client.fs.upload(local, path, progress=bar.show)


async def _is_remote_directory(client: SandboxAgent, path: str) -> bool:
    try:
        return (await client.fs.stat(path)).is_directory
    except PathNotFound:
        return False


async def _download(client: SandboxAgent, source: Side, target: Side) -> None:
    if target.path == STREAM:
        async with client.fs.open(source.path) as reader:
            async for piece in reader:
                sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    local = target.local()
    is_contents = source.path.endswith("/.")
    if not is_contents and (target.path.endswith("/") or local.is_dir()):
        local /= source.name or (await client.fs.stat(source.path)).path.rpartition("/")[2]
    with Bar(f"{source.path} → {target.path}") as bar:
        await client.fs.download(source.path, local, progress=bar.show)


class Bar:
    """On a terminal, on stderr; nothing elsewhere, and nothing is left of it."""

    def __init__(self, title: str) -> None:
        console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            # The figures are what is looked at: a long name gives way to them.
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            BarColumn(bar_width=20),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            expand=True,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(plain(title), total=None)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._progress.stop()

    def show(self, done: int, total: int | None) -> None:
        self._progress.update(self._task, completed=done, total=total)
