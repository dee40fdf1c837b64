"""`sandbox-agent server`: the server of this machine, in the background, or here in the foreground."""

from __future__ import annotations

import asyncio
import json as json_module
import os
import shlex
import sys
import time
from collections import deque
from datetime import datetime
from typing import Annotated, Any

import httpx
import typer
from sandbox_agent_core.inspector import inspector_link

from sandbox_agent_client._async.client import SandboxAgent
from sandbox_agent_client.cli import daemon
from sandbox_agent_client.cli.commands import Commands, Group
from sandbox_agent_client.cli.daemon import Daemon
from sandbox_agent_client.cli.exit_codes import ExitCode, finish, of_error
from sandbox_agent_client.cli.options import Json
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.variables import TOKEN_VARIABLE, URL_VARIABLE
from sandbox_agent_client.errors import SandboxAgentError
from sandbox_agent_client.sandboxes.local.server import server_command

__all__ = ["server_app"]

ANSWER_TIMEOUT_S = 10.0
LOG_LINES = 50
FOLLOW_POLL_S = 0.2
_ITS_OWN = {"allow_extra_args": True, "ignore_unknown_options": True}


class ServerGroup(Group):
    """With the server's own options, or none, instead of a command it is `server run`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        names = {*self.commands, "--help"}
        return super().parse_args(ctx, args if args and args[0] in names else ["run", *args])


server_app = Commands(
    cls=ServerGroup,
    help="The server of this machine: `start` it in the background, where all commands find it, or `run` it here.",
    subcommand_metavar="[COMMAND] [OPTIONS OF THE SERVER]",
)


@server_app.command("start", context_settings=_ITS_OWN)
def _start(context: typer.Context, json: Json = False) -> None:
    """Start it in the background; one that runs already is found. Takes the options of `server run`.

    It listens on 127.0.0.1:2468 unless --port says otherwise, and keeps its sessions when it stops. Agents work as you,
    in your home, with the environment of this terminal. Its token is in a file that only you can read.
    """
    try:
        found, is_new = daemon.start(context.args, os.environ)
    except SandboxAgentError as exc:
        print(f"sandbox-agent: {plain(exc.message)}", file=sys.stderr)
        raise typer.Exit(int(of_error(exc))) from exc
    if not json:
        print("The server runs." if is_new else "The server runs already.")
    # For the person at a terminal. Elsewhere what is written may be kept, and the token outlives the server.
    finish(_tell(found, as_json=json, shows_token=sys.stdout.isatty()))


@server_app.command("run", context_settings=_ITS_OWN, add_help_option=False)
def _run(context: typer.Context) -> None:
    """Run it here, in the foreground, until Ctrl-C. All options are those of `sandbox-agent-server` (--help)."""
    try:
        command = server_command()
    except SandboxAgentError as exc:
        print(f"sandbox-agent: {plain(exc.message)}", file=sys.stderr)
        raise typer.Exit(int(of_error(exc))) from exc
    os.execv(command[0], [*command, *context.args])  # noqa: S606 - our own server


@server_app.command("status")
def _status(json: Json = False) -> None:
    """Where it is, where its token is, and what it is at. Exit status 5: none runs."""
    found = Daemon.running()
    if found is None:
        if json:
            print(json_module.dumps({"running": False, "log": str(daemon.log_file())}))
        else:
            print("No server runs. `sandbox-agent server start` starts one.")
        raise typer.Exit(int(ExitCode.SANDBOX))
    finish(_tell(found, as_json=json))


@server_app.command("stop")
def _stop() -> None:
    """Stop it and its agents. Its sessions stay, and go on after the next start."""
    stopped = daemon.stop()
    print("No server runs." if stopped is None else f"Stopped process {stopped.pid}.")


@server_app.command("logs")
def _logs(
    tail: Annotated[
        int, typer.Option(min=0, metavar="N", help="How many of the last lines.")
    ] = LOG_LINES,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="And what comes, until Ctrl-C.")
    ] = False,
) -> None:
    """What it has written, also one that has ended."""
    file = daemon.log_file()
    if not file.is_file():
        print(f"sandbox-agent: there is no log yet: {file}", file=sys.stderr)
        raise typer.Exit(int(ExitCode.FAILED))
    try:
        with file.open("r", encoding="utf-8", errors="replace") as log:
            for line in deque(log, maxlen=tail):
                print(plain(line), end="")
            while follow:
                line = log.readline()
                if line:
                    print(plain(line), end="", flush=True)
                else:
                    time.sleep(FOLLOW_POLL_S)
    except KeyboardInterrupt:
        raise typer.Exit(int(ExitCode.CANCELLED)) from None


async def _tell(found: Daemon, *, as_json: bool, shows_token: bool = False) -> ExitCode:
    """Also what only it can say, when it answers. `shows_token`: in the link of the Inspector, which then asks for none."""
    facts: dict[str, Any] = {
        "running": True,
        "url": found.url,
        "pid": found.pid,
        "since": found.since,
        "options": found.arguments,
        "tokenFile": str(daemon.token_file()) if found.token() is not None else None,
        "log": str(daemon.log_file()),
    }
    problem = None
    try:
        async with (
            asyncio.timeout(ANSWER_TIMEOUT_S),
            SandboxAgent.connect(found.url, token=found.token()) as client,
        ):
            facts["version"] = (await client.health()).version
            facts["inspector"] = await _inspector(found.url)
            sessions = [session.info for session in await client.list_sessions()]
            facts["sessions"] = len(sessions)
            facts["busy"] = sum(info.status in {"running", "background"} for info in sessions)
            facts["waiting"] = sum(info.pending_requests for info in sessions)
    except TimeoutError:
        problem = (
            f"it did not answer within {ANSWER_TIMEOUT_S:g} s: see `sandbox-agent server logs`"
        )
    except SandboxAgentError as exc:
        problem = exc.message
    if as_json:
        print(json_module.dumps(facts | ({"problem": problem} if problem else {})))
    else:
        _print(facts, found.token(), shows_token=shows_token)
    if problem is None:
        return ExitCode.OK
    print(f"sandbox-agent: {plain(problem)}", file=sys.stderr)
    return ExitCode.SANDBOX


async def _inspector(url: str) -> str | None:
    """Its link, without a token, if the server has one."""
    link = inspector_link(url, None)
    async with httpx.AsyncClient(trust_env=False, timeout=ANSWER_TIMEOUT_S) as browser:
        try:
            return link if (await browser.head(link)).is_success else None
        except httpx.HTTPError:
            return None


def _print(facts: dict[str, Any], token: str | None, *, shows_token: bool) -> None:
    since = datetime.fromisoformat(facts["since"]).astimezone()
    rows = [("url", facts["url"]), ("token", facts["tokenFile"] or "none is asked for")]
    if facts.get("inspector") is not None:
        asks = "" if token is None else "   (asks for the token; `sandbox-agent ui` does not)"
        link = inspector_link(facts["url"], token) if shows_token else facts["inspector"] + asks
        rows.append(("inspector", link))
    rows += [("log", facts["log"]), ("process", f"{facts['pid']}, since {since:%Y-%m-%d %H:%M}")]
    if facts["options"]:
        rows.append(("options", shlex.join(facts["options"])))
    if "version" in facts:
        busy, waiting = facts["busy"], facts["waiting"]
        rows.append(("version", facts["version"]))
        rows.append(("sessions", f"{facts['sessions']}, {busy} at work, {waiting} open requests"))
    for name, value in rows:
        print(f"  {name:<9}  {value}")
    print("Commands of this machine find it. Elsewhere, and for the SDK:")
    token = (
        f' {TOKEN_VARIABLE}="$(cat {shlex.quote(facts["tokenFile"])})"'
        if facts["tokenFile"]
        else ""
    )
    print(f"  export {URL_VARIABLE}={facts['url']}{token}")
