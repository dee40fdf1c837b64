"""`sandbox-agent image`: a command that this package adds to the client's command line."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.spi.command import CommandContext

from sandbox_agent_docker.image.build import PACKAGES, build_image, dockerfile
from sandbox_agent_docker.image.choice import PLAIN_IMAGE, full_image

__all__ = ["main"]

_FAILED = 1
_CANCELLED = 130


def main(argv: Sequence[str], context: CommandContext) -> int:
    """The exit status."""
    args = _parser().parse_args(argv)
    if args.command == "dockerfile":
        sys.stdout.write(dockerfile())
        return 0
    try:
        name = asyncio.run(_build(args, context))
    except SandboxAgentError as exc:
        sys.stderr.write(f"sandbox-agent: {exc.message}\n")
        return _FAILED
    except KeyboardInterrupt:
        return _CANCELLED
    sys.stdout.write(f"{name}\n")
    return 0


async def _build(args: argparse.Namespace, context: CommandContext) -> str:
    return await build_image(
        args.tag,
        agents=_words(args.agents),
        base=args.base,
        packages=_words(args.packages),
        node=args.node,
        wheels=() if args.from_index else context.wheels(),
        from_index=args.from_index,
        wheelhouse=context.load_wheelhouse(args.wheelhouse) if args.wheelhouse else (),
        build_args=dict(args.build_arg),
        report=(lambda _line: None) if args.quiet else _to_stderr,
        docker_host=args.docker_host,
        context=args.context,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sandbox-agent image", description="Docker images with the server and agents in them."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser(
        "build",
        help="build one; the Docker provider then uses it by default",
        description="Builds an image with the server (as installed here) and agents, and a user that is not "
        "root. Prints its name.",
    )
    add = build.add_argument
    add("--tag", metavar="NAME", help=f"the image's name (default {full_image()})")
    add("--agents", default="", metavar="A,B", help="agents to install: claude,codex,… or all")
    add("--base", default=PLAIN_IMAGE, metavar="IMAGE", help="an image with Python 3.11 or newer "
        "(default %(default)s)")  # fmt: skip
    add("--packages", default=",".join(PACKAGES), metavar="P,Q", help="of the base's distribution; '' for none "
        "(default %(default)s)")  # fmt: skip
    add(
        "--node",
        action="store_true",
        help="with Node.js, for agents and tools that are written for it",
    )
    add(
        "--from-index",
        action="store_true",
        help="take the server from the index instead of from here",
    )
    add("--wheelhouse", type=Path, metavar="DIR", help="ask no index: take everything from this directory "
        "(`sandbox-agent wheelhouse build`)")  # fmt: skip
    add("--build-arg", action="append", default=[], type=_assignment, metavar="NAME=VALUE",
        help="as of `docker build`, such as PIP_INDEX_URL or HTTPS_PROXY; repeat for more")  # fmt: skip
    add("--docker-host", metavar="URL", help="the daemon (default: as the docker program finds it)")
    add("--context", metavar="NAME", help="a context of the docker program")
    add("--quiet", "-q", action="store_true", help="only print the name")
    commands.add_parser(
        "dockerfile", help="print the Dockerfile, to build by hand or to start from"
    )
    return parser


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
