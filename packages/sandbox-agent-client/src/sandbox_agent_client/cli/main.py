"""The command line: options in, an exit status out."""

from __future__ import annotations

import sys
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated

import typer

from sandbox_agent_client.cli.acp import add_acp_command
from sandbox_agent_client.cli.agents import agents_app
from sandbox_agent_client.cli.attach import add_attach_command
from sandbox_agent_client.cli.batch import batch_app
from sandbox_agent_client.cli.chat import add_chat_command
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.config import mcp_app, skills_app
from sandbox_agent_client.cli.copying import add_cp_command
from sandbox_agent_client.cli.credentials import credentials_app
from sandbox_agent_client.cli.diff import add_diff_command
from sandbox_agent_client.cli.doctor import add_doctor_command
from sandbox_agent_client.cli.image import image_app
from sandbox_agent_client.cli.plugins import add_plugin_commands
from sandbox_agent_client.cli.ports import ports_app
from sandbox_agent_client.cli.processes import add_process_commands
from sandbox_agent_client.cli.requests import requests_app
from sandbox_agent_client.cli.run import add_run_command
from sandbox_agent_client.cli.sandboxes import sandboxes_app
from sandbox_agent_client.cli.server import server_app
from sandbox_agent_client.cli.sessions import sessions_app
from sandbox_agent_client.cli.shell import add_shell_command
from sandbox_agent_client.cli.stores import store_app
from sandbox_agent_client.cli.tokens import tokens_app
from sandbox_agent_client.cli.ui import add_ui_command
from sandbox_agent_client.cli.wheelhouse import wheelhouse_app

__all__ = ["app", "main"]

WORK, PLACES, SETUP = "Work with agents", "Where they run", "Set up"

app = Commands(help="Run coding agents in sandboxes, watch and steer them.", add_completion=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"sandbox-agent {version('sandbox-agent-client')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


add_run_command(app, panel=WORK)
add_chat_command(app, panel=WORK)
add_attach_command(app, panel=WORK)
add_ui_command(app, panel=WORK)
add_acp_command(app, panel=WORK)
add_cp_command(app, panel=WORK)
add_diff_command(app, panel=WORK)
app.add_typer(batch_app, name="batch", rich_help_panel=WORK)
app.add_typer(sessions_app, name="sessions", rich_help_panel=WORK)
app.add_typer(requests_app, name="requests", rich_help_panel=WORK)
app.add_typer(store_app, name="store", rich_help_panel=PLACES)
add_process_commands(app, panel=PLACES)
add_shell_command(app, panel=PLACES)
app.add_typer(ports_app, name="ports", rich_help_panel=PLACES)
app.add_typer(server_app, name="server", rich_help_panel=PLACES)
app.add_typer(sandboxes_app, name="sandboxes", rich_help_panel=PLACES)
app.add_typer(image_app, name="image", rich_help_panel=PLACES)
add_doctor_command(app, panel=SETUP)
app.add_typer(agents_app, name="agents", rich_help_panel=SETUP)
app.add_typer(credentials_app, name="credentials", rich_help_panel=SETUP)
app.add_typer(tokens_app, name="tokens", rich_help_panel=SETUP)
app.add_typer(mcp_app, name="mcp", rich_help_panel=SETUP)
app.add_typer(skills_app, name="skills", rich_help_panel=SETUP)
app.add_typer(wheelhouse_app, name="wheelhouse", rich_help_panel=PLACES)


def main() -> None:
    # Agents write what they like; a terminal that cannot show it shows something else.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    add_plugin_commands(app, panel=PLACES)
    app(prog_name="sandbox-agent")
