"""`sandbox-agent ui`: one Inspector for all servers and sandboxes."""

from __future__ import annotations

import logging
import secrets
import socket
import sys
import webbrowser
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from threading import Thread
from typing import Annotated, Any
from urllib.parse import quote

import typer
from sandbox_agent_core.inspector import (
    FOLDER,
    PACKAGE,
    InspectorFiles,
    find_inspector,
    inspector_link,
)
from sandbox_agent_core.installed_from import pip_install
from sandbox_agent_core.spi.provider import Endpoint, SandboxProvider

from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import ExitCode, finish, of_error
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, TokenEnv
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.provider_options import (
    Options,
    Provider,
    SandboxName,
    chosen_providers,
)
from sandbox_agent_client.cli.target import running_servers
from sandbox_agent_client.cli.variables import URL_VARIABLE
from sandbox_agent_client.errors import ProviderNotInstalled, SandboxAgentError
from sandbox_agent_client.inspector_hub.hub import Hub
from sandbox_agent_client.inspector_hub.servers import HubServers, ServerEntry
from sandbox_agent_client.sandboxes.inventory import Inventory, Item, take_inventory

__all__ = ["add_ui_command"]

PORT = 2469
"""The same each time: a browser keeps drafts and widths for an address."""

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        "--url",
        metavar="URL",
        help="Only this server; its token is in --token-env. Default: that of `server start`, "
        f"${URL_VARIABLE}, and all sandboxes that exist.",
        show_default=False,
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        metavar="PORT",
        help=f"On 127.0.0.1; 0 takes a free one. Default: {PORT}, or a free one.",
        show_default=False,
    ),
]


def add_ui_command(app: Commands, *, panel: str) -> None:
    app.command("ui", rich_help_panel=panel)(ui_command)


def ui_command(
    server: Server = None,
    sandbox: SandboxName = None,
    port: Port = None,
    open: Annotated[bool, typer.Option(help="Open it in a browser.")] = True,
    token_env: TokenEnv = TOKEN_VARIABLE,
    provider: Provider = None,
    option: Options = None,
) -> None:
    """Open the Inspector: see and steer all sessions in a browser, of every sandbox that exists.

    It is a small server on this machine, until Ctrl-C, which holds the tokens of the others. Sandboxes that sleep are
    woken when you open them, and nothing ends with it.
    """
    if server is not None and sandbox is not None:
        raise typer.BadParameter("give either --server or --sandbox")
    try:
        files = _files()
    except SandboxAgentError as exc:
        print(f"sandbox-agent: {plain(exc.message)}", file=sys.stderr)
        raise typer.Exit(int(of_error(exc))) from exc
    fixed = running_servers(server, token_env) if sandbox is None else {}
    providers = [] if server is not None else chosen_providers(provider, option)
    listener = _bind(port)
    finish(_serve(files, fixed, providers, sandbox, listener, opens=open))


def _files() -> InspectorFiles:
    """Raises: ProviderNotInstalled."""
    wanted = pip_install("sandbox-agent-client[inspector]")
    if find_spec(PACKAGE) is None or find_spec("uvicorn") is None:
        raise ProviderNotInstalled(f"The Inspector is not installed here. Run `{wanted}`.")
    files = find_inspector()
    if files is None:
        raise ProviderNotInstalled(
            "The Inspector is installed from sources that nobody has built yet. Run `make inspector`."
        )
    return files


def _bind(port: int | None) -> socket.socket:
    """Raises: typer.Exit."""
    for wanted in (PORT, 0) if port is None else (port,):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", wanted))
            # From now on a browser waits for its answer, however fast it is.
            listener.listen(128)
        except OSError as exc:
            listener.close()
            problem = exc
        else:
            return listener
    print(
        f"sandbox-agent: cannot listen on 127.0.0.1:{port}: {problem.strerror}. Choose another --port.",
        file=sys.stderr,
    )
    raise typer.Exit(int(ExitCode.FAILED))


async def _serve(
    files: InspectorFiles,
    fixed: dict[str, Endpoint],
    providers: Sequence[SandboxProvider],
    sandbox: str | None,
    listener: socket.socket,
    *,
    opens: bool,
) -> None:
    uvicorn: Any = import_module("uvicorn")

    async def inventory() -> Inventory:
        return await take_inventory(providers)

    wanted = (await inventory()).find(sandbox).info.ref if sandbox is not None else None

    def wants(item: Item) -> bool:
        return wanted is None or (item.info.ref.provider, item.info.ref.id) == (
            wanted.provider,
            wanted.id,
        )

    servers = HubServers(fixed, inventory if providers else None, wants=wants)
    token = secrets.token_urlsafe(24)
    port = listener.getsockname()[1]
    hub = Hub(
        servers,
        files,
        token=token,
        hosts=frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost")),
    )
    link = inspector_link(f"http://127.0.0.1:{port}", token)
    found = await servers.list()
    only = found[0].name if len(found) == 1 and (sandbox or not providers) else None
    if only is not None:
        link = link.replace(FOLDER, f"{FOLDER}servers/{quote(only, safe='')}/", 1)
    _announce(link, found, servers)
    config = uvicorn.Config(
        hub, lifespan="off", log_level=logging.WARNING, access_log=False, ws="websockets-sansio",
        timeout_graceful_shutdown=1, server_header=False, date_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    if opens:
        # In a thread of its own, which is waited for by nobody: a browser of the terminal stays until it is left.
        Thread(target=webbrowser.open, args=[hub.opening(link)], daemon=True).start()
    try:
        await server.serve(sockets=[listener])
    finally:
        await hub.close()


def _announce(link: str, found: Sequence[ServerEntry], servers: HubServers) -> None:
    print(f"Inspector  {link}")
    for one in found:
        what = f"{one.provider}, {one.state}" if one.provider else one.state
        print(f"  {plain(one.name)}  ({plain(what)})")
    if not found:
        print("  No server and no sandbox yet: `sandbox-agent server start` starts one here.")
    print("Ctrl-C ends it, and nothing else.", flush=True)
    for name, problem in servers.problems.items():
        print(f"sandbox-agent: {name}: {plain(problem.message)}", file=sys.stderr)
