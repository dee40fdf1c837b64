"""The flags of `sandbox-agent-server` and their help."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sandbox_agent_server import __version__
from sandbox_agent_server.limits import Limits
from sandbox_agent_server.settings import ConfinementSettings

__all__ = ["SWEEP", "parse_arguments"]

SWEEP = "sweep"

_EPILOG = """\
every flag is also a variable (SANDBOX_AGENT_PORT, SANDBOX_AGENT_TOKEN, ...) and a key of the TOML file;
flags win over variables, variables over the file. In the file, any program that speaks the Agent Client
Protocol on stdio becomes an agent:

  port = 2468
  [agents.my-agent]
  command = ["my-agent", "--acp"]
  env = { MY_AGENT_KEY = "..." }
  [limits]
  max_sessions = 32

commands:
  sandbox-agent-server install-agent NAME|all   install an agent beforehand, see --help of it
  sandbox-agent-server agent-versions           tested, installed and newest versions
  sandbox-agent-server agents add URL|FILE      an agent that a file of the ACP registry describes; list, remove
  sandbox-agent-server sweep --data-dir DIR     end what a killed server left running, as its next start does

examples:
  sandbox-agent-server                          on 127.0.0.1:2468, prints a fresh token
  SANDBOX_AGENT_TOKEN=... sandbox-agent-server --host 0.0.0.0
                                                in a container: the token comes by environment
  sandbox-agent-server --no-token               loopback only, for trying things out

exit codes: 0 stopped by SIGTERM or SIGINT, 1 the log or the port cannot be used, 2 wrong settings,
  3 agents cannot be confined on this machine
"""


def parse_arguments(argv: list[str] | None) -> tuple[dict[str, Any], Path | None]:
    """`(flags, configuration file)`; a flag that was not given is None."""
    parser = _parser()
    given = vars(parser.parse_args(argv))
    config: Path | None = given.pop("config")
    limits = {}
    for assignment in given.pop("limit") or ():
        name, equals, value = assignment.partition("=")
        if not equals or name not in Limits.model_fields:
            parser.error(
                f"--limit {assignment!r}: use NAME=VALUE with one of {', '.join(Limits.model_fields)}"
            )
        limits[name] = value
    if limits:
        given["limits"] = limits
    details = {name: given.pop(f"confine_{name}") for name in ConfinementSettings.model_fields}
    details = {name: value for name, value in details.items() if value is not None}
    if details and given["confine"] is False:
        parser.error("--no-confine and what it would be confined to exclude each other")
    given["confine"] = details or given["confine"]
    return given, config


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sandbox-agent-server",
        description="Hosts coding agents in this sandbox behind one HTTP API. Every event is in a log on "
        "disk before anyone sees it, so nothing is lost when a connection or the server itself dies.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", help="address to listen on (default 127.0.0.1)")
    add("--port", help="port to listen on; 0 takes a free one (default 2468)")
    add(
        "--token",
        help="token that callers must send; better given as SANDBOX_AGENT_TOKEN, because other "
        "users of the machine can see command lines (default: a fresh one, printed once)",
    )
    add(
        "--no-token",
        action="store_const",
        const=True,
        help="let anyone who reaches the port in; loopback only",
    )
    add(
        "--insecure",
        action="store_const",
        const=True,
        help="allow --no-token on other addresses too",
    )
    add(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="where the logs live, a file of JSON lines for each session "
        "(default ~/.local/share/sandbox-agent)",
    )
    add(
        "--root",
        type=Path,
        metavar="DIR",
        help="files, working directories and configuration that callers name must be beneath it (default: anywhere); "
        "no wall for the programs that they run",
    )
    add(
        "--durability",
        choices=["process", "power"],
        help="what was shown survives the death of the server (process, the default), or also a power "
        "failure but for the last second of a running turn (power)",
    )
    add(
        "--retention-days",
        type=float,
        metavar="DAYS",
        help="remove sessions that were not written to for so long; never one at work (default: keep)",
    )
    add(
        "--retention-bytes",
        type=int,
        metavar="BYTES",
        help="remove the oldest sessions while all logs together are larger (default: keep)",
    )
    add(
        "--store",
        metavar="URL",
        help="copy all sessions to this transcript store, so that they outlive this sandbox: postgresql://…, or the file "
        "of an SQLite store; with a password better in SANDBOX_AGENT_STORE",
    )
    add(
        "--config",
        type=Path,
        metavar="FILE",
        help="a TOML file with these settings and more agents",
    )
    add(
        "--allow-host",
        action="append",
        metavar="NAME",
        dest="allow_hosts",
        help="accept this Host header on a loopback bind; repeat for more",
    )
    add(
        "--cors-origin",
        action="append",
        metavar="ORIGIN",
        dest="cors_origins",
        help="let web pages of this origin call the API; repeat for more",
    )
    for name, what in (
        (
            "allow",
            "only these ports of the sandbox are reached through the server (3000, or 3000-3999)",
        ),
        ("deny", "this port of the sandbox, or range of them, is not reached through the server"),
    ):
        add(
            f"--{name}-port",
            action="append",
            metavar="PORT",
            dest=f"{name}_ports",
            help=f"{what}; repeat for more",
        )
    add(
        "--warm",
        action="append",
        metavar="AGENT",
        help="keep one process of it ready, so that new sessions start at once; repeat for more",
    )
    add(
        "--inherit-env",
        action="append",
        metavar="NAME",
        help="of this environment, agents get only variables of this name (GH_TOKEN) or glob (AWS_*), "
        "besides what they cannot do without; repeat for more (default: all of it)",
    )
    add(
        "--no-inherit-env",
        action="store_const",
        const=False,
        dest="inherit_env",
        help="agents get only what they cannot do without: home, path, language, proxies, certificates, "
        "and their own keys and settings",
    )
    add(
        "--turn-diffs",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="tell what each turn has done to the files, in sessions that do not say otherwise (default on)",
    )
    add(
        "--acp-v2",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="speak the draft of ACP's version 2 on /acp to clients that ask for it (default off)",
    )
    add(
        "--confine",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="confine agents to their workspace, with bubblewrap: the rest of the home, this server's files and "
        "the sockets of the machine are hidden from them (default off)",
    )
    add(
        "--confine-home",
        choices=["hidden", "read-only"],
        help="what confined agents see of the home besides what they need of it (default hidden)",
    )
    add(
        "--no-confine-network",
        action="store_const",
        const=False,
        dest="confine_network",
        help="confined agents have no network at all",
    )
    for name, what in (
        ("writable", "may change, besides their workspace"),
        ("readable", "may read, besides the system and their own programs"),
        ("hidden", "never see"),
    ):
        add(
            f"--confine-{name}",
            action="append",
            type=Path,
            metavar="PATH",
            help=f"what confined agents {what}; repeat for more",
        )
    add(
        "--agents-dir",
        type=Path,
        metavar="DIR",
        help="where agents are installed; programs on the PATH come first "
        "(default ~/.local/share/sandbox-agent/agents)",
    )
    add(
        "--agents-source",
        type=Path,
        metavar="DIR",
        help="install agents from this directory and never from the network",
    )
    add(
        "--npm-registry",
        metavar="URL",
        help="where agents come from when the npm configuration names no registry (default: that of npm itself)",
    )
    add(
        "--auto-install",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="install an agent when a session wants it and it is not there (default on)",
    )
    add(
        "--require-preinstalled",
        action="store_const",
        const=True,
        help="never install anything from the network",
    )
    add(
        "--trust-workspace",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="run the hooks, plugins and MCP programs that a workspace brings along, in sessions that do "
        "not say (default off: what runs by itself runs as the user of this server)",
    )
    add(
        "--limit",
        action="append",
        metavar="NAME=VALUE",
        help="change a limit: "
        + ", ".join(f"{name} ({info.default})" for name, info in Limits.model_fields.items()),
    )
    add("--log-level", choices=["debug", "info", "warning", "error"], help="(default info)")
    add(
        "--log-format",
        choices=["auto", "text", "json"],
        help="auto: text on a terminal, JSON lines elsewhere (default auto)",
    )
    add(
        "--ready-file",
        type=Path,
        metavar="FILE",
        help="write {url, pid, version} here once listening, for the program that started this one",
    )
    add(
        "--exit-with-parent",
        action="store_const",
        const=True,
        help="stop when the program that started this one is gone",
    )
    add("--version", action="version", version=f"sandbox-agent-server {__version__}")
    return parser
