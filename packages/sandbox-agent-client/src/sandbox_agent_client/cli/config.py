"""`sandbox-agent mcp` and `sandbox-agent skills`: what sessions in a directory get."""

from __future__ import annotations

import json as json_module
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from sandbox_agent_core.api.config import McpLocalConfig, SkillSource

from sandbox_agent_client._calls.config import skills_of
from sandbox_agent_client.cli.assignments import duration
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import finish
from sandbox_agent_client.cli.options import TOKEN_VARIABLE, Json, TokenEnv, Url
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.cli.target import Target, resolve_server

__all__ = ["mcp_app", "skills_app"]

mcp_app = Commands(help="MCP servers that every session in a directory gets.")
skills_app = Commands(help="Skills that every session in a directory gets.")

Directory = Annotated[
    str | None,
    typer.Option(
        "--directory", "-C", metavar="DIR",
        help="In the sandbox. Default: this one, or that of a server elsewhere.", show_default=False,
    ),
]  # fmt: skip
Name = Annotated[str, typer.Argument(metavar="NAME")]


@mcp_app.command("list")
def list_servers(
    directory: Directory = None,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    json: Json = False,
) -> None:
    """The MCP servers of a directory, without the values of their keys."""
    finish(_list_servers(resolve_server(url, token_env), directory, as_json=json))


@mcp_app.command("add", context_settings={"ignore_unknown_options": True})
def add_server(
    name: Name,
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="URL | COMMAND [ARGUMENT]...",
            help="A URL, or a program; its own options after `--`.",
        ),
    ],
    env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="For a program. Without a value: that of the session's agent, so that it is in no file.",
        ),
    ] = None,
    cwd: Annotated[str | None, typer.Option(metavar="DIR", help="Where the program runs.")] = None,
    header: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Sent to a URL.")
    ] = None,
    header_env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VARIABLE", help="Sent to a URL, from a variable of the session's agent."
        ),
    ] = None,
    bearer_env: Annotated[
        str | None,
        typer.Option(
            metavar="VARIABLE",
            help="The variable of the session's agent that has the token for a URL.",
        ),
    ] = None,
    transport: Annotated[
        str | None, typer.Option(metavar="http|sse", help="Of a URL. Default: http.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Of a call of its tools, as 30s or 5m.")
    ] = None,
    disabled: Annotated[
        bool, typer.Option("--disabled", help="Keep it there, and give it to nobody.")
    ] = False,
    directory: Directory = None,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Add one, or replace it. Sessions that begin afterwards get it."""
    first, *arguments = what
    server: dict[str, Any] = (
        {} if timeout is None else {"timeoutMs": round(duration(timeout).total_seconds() * 1000)}
    )
    if disabled:
        server["enabled"] = False
    if re.match(r"https?://", first, re.I):
        if arguments or env or cwd:
            raise typer.BadParameter(
                "a URL has no arguments, --env and --cwd: they are of programs"
            )
        server |= {
            "type": "remote",
            "url": first,
            "bearerTokenEnvVar": bearer_env,
            "transport": transport,
        }
        server |= {
            "headers": _pairs("--header", header),
            "envHeaders": _pairs("--header-env", header_env),
        }
    else:
        if header or header_env or bearer_env or transport:
            raise typer.BadParameter(
                "a program has no --header, --header-env, --bearer-env and --transport: they are of URLs"
            )
        server |= {
            "type": "local",
            "command": first,
            "args": arguments,
            "cwd": cwd,
            "env": _environment(env),
        }
    given = {member: value for member, value in server.items() if value not in (None, {})}
    finish(_add_server(resolve_server(url, token_env), directory, name, given))


@mcp_app.command("remove")
def remove_server(
    name: Name, directory: Directory = None, url: Url = None, token_env: TokenEnv = TOKEN_VARIABLE
) -> None:
    """Remove one. Sessions that run keep it until their agent starts again."""
    finish(_remove(resolve_server(url, token_env), "mcp", directory, name))


@skills_app.command("list")
def list_skills(
    directory: Directory = None,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
    json: Json = False,
) -> None:
    """Where the skills of a directory come from."""
    finish(_list_skills(resolve_server(url, token_env), directory, as_json=json))


@skills_app.command("add")
def add_skills(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A place on GitHub (owner/repo, owner/repo/path@ref), a URL of git, or a folder (./skills).",
        ),
    ],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Default: the last word of SOURCE.")
    ] = None,
    ref: Annotated[str | None, typer.Option(metavar="REF", help="Branch, tag or commit.")] = None,
    path: Annotated[
        str | None, typer.Option(metavar="PATH", help="The folder in it below which skills are.")
    ] = None,
    skill: Annotated[
        list[str] | None, typer.Option(metavar="SKILL", help="Only this one; repeat for more.")
    ] = None,
    directory: Directory = None,
    url: Url = None,
    token_env: TokenEnv = TOKEN_VARIABLE,
) -> None:
    """Add some, or replace those of the name. Sessions that begin afterwards get them."""
    (made,) = skills_of(source).sources
    more = {"ref": ref, "subpath": path, "skills": skill}
    made = made.model_copy(update={member: value for member, value in more.items() if value})
    called = (
        name
        or re.split(r"[/:\\]", source.partition("@")[0].rstrip("/").removesuffix(".git"))[-1]
        or "skills"
    )
    finish(_add_skills(resolve_server(url, token_env), directory, called, made))


@skills_app.command("remove")
def remove_skills(
    name: Name, directory: Directory = None, url: Url = None, token_env: TokenEnv = TOKEN_VARIABLE
) -> None:
    """Remove those of a name."""
    finish(_remove(resolve_server(url, token_env), "skills", directory, name))


async def _list_servers(target: Target, directory: str | None, *, as_json: bool) -> None:
    async with target.open() as client:
        servers = await client.config.mcp.list(_at(target, directory))
    rows = []
    for name, server in servers.items():
        if as_json:
            shown = server.model_dump(mode="json", by_alias=True, exclude_none=True)
            print(json_module.dumps({"name": name, **_without_values(shown)}))
        elif isinstance(server, McpLocalConfig):
            rows.append(
                (name, "program", " ".join([server.command, *server.args]), _state(server.enabled))
            )
        else:
            rows.append((name, server.transport or "http", server.url, _state(server.enabled)))
    if rows:
        print_table(("name", "kind", "what", "given"), rows)
    elif not as_json:
        print("No MCP servers. `sandbox-agent mcp add NAME URL` adds one.")


async def _add_server(
    target: Target, directory: str | None, name: str, server: Mapping[str, Any]
) -> None:
    async with target.open() as client:
        await client.config.mcp.set(_at(target, directory), name, server)
    print(plain(f"Sessions that begin now get the MCP server {name}."))


async def _list_skills(target: Target, directory: str | None, *, as_json: bool) -> None:
    async with target.open() as client:
        found = await client.config.skills.list(_at(target, directory))
    rows = []
    for name, config in found.items():
        if as_json:
            print(
                json_module.dumps(
                    {
                        "name": name,
                        **config.model_dump(mode="json", by_alias=True, exclude_none=True),
                    }
                )
            )
            continue
        for source in config.sources:
            place = "/".join(filter(None, (source.source, source.subpath)))
            rows.append(
                (name, source.type, place, source.ref or "", ", ".join(source.skills or ["all"]))
            )
    if rows:
        print_table(("name", "from", "source", "ref", "skills"), rows)
    elif not as_json:
        print("No skills. `sandbox-agent skills add owner/repo` adds some.")


async def _add_skills(
    target: Target, directory: str | None, name: str, source: SkillSource
) -> None:
    async with target.open() as client:
        await client.config.skills.set(_at(target, directory), name, source)
    print(plain(f"Sessions that begin now get the skills {name}."))


async def _remove(target: Target, kind: str, directory: str | None, name: str) -> None:
    async with target.open() as client:
        config = client.config.mcp if kind == "mcp" else client.config.skills
        await config.get(_at(target, directory), name)
        await config.delete(_at(target, directory), name)


def _at(target: Target, directory: str | None) -> str:
    if target.is_local:
        return str(Path(directory or ".").expanduser().absolute())
    return directory or "."


def _state(enabled: bool | None) -> str:
    return "no" if enabled is False else "yes"


def _without_values(server: dict[str, Any]) -> dict[str, Any]:
    """What is a reference to a variable is shown, what may be a key is not."""
    for member in ("env", "headers"):
        if member in server:
            server[member] = {
                name: value if re.fullmatch(r"(Bearer )?\$\{\w+\}", value) else "***"
                for name, value in server[member].items()
            }
    return server


def _environment(items: Sequence[str] | None) -> dict[str, str]:
    pairs = (item.partition("=") for item in items or ())
    return {name: value if has_value else f"${{{name}}}" for name, has_value, value in pairs}


def _pairs(option: str, items: Sequence[str] | None) -> dict[str, str]:
    """Raises: typer.BadParameter."""
    found = {}
    for item in items or ():
        name, has_value, value = item.partition("=")
        if not has_value or not name:
            raise typer.BadParameter(f"{option} {name[:32]!r}: write NAME=VALUE")
        found[name] = value
    return found
