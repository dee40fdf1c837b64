"""`sandbox-agent image`: images with the server and agents inside, for providers that make sandboxes from them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sandbox_agent_core.provisioning.server_source import no_server
from sandbox_agent_core.spi.images import ImageSpec, SandboxImage
from sandbox_agent_core.spi.provider import (
    SandboxProvider,
    SandboxSpec,
    SupportsDockerfile,
    SupportsImages,
)

from sandbox_agent_client.cli.assignments import assignments, megabytes, provider_options, span
from sandbox_agent_client.cli.commands import Commands
from sandbox_agent_client.cli.exit_codes import ExitCode, finish, of_error
from sandbox_agent_client.cli.plain import plain
from sandbox_agent_client.cli.provider_options import Options
from sandbox_agent_client.cli.table import print_table
from sandbox_agent_client.errors import (
    CapabilityNotSupported,
    ProviderAuthError,
    ProviderNotInstalled,
    SandboxAgentError,
)
from sandbox_agent_client.sandboxes.npm_registry import callers_npm_registry
from sandbox_agent_client.sandboxes.plugins import find_provider, installed_providers
from sandbox_agent_client.sandboxes.wheelhouse import load_wheelhouse
from sandbox_agent_client.sandboxes.wheels import inspector_wheels, server_wheels

__all__ = ["image_app"]

LIST_TIMEOUT_S = 60.0
"""For one provider."""

image_app = Commands(
    help="Make images with the server and agents in them, so that sandboxes start at once."
)

Provider = Annotated[str, typer.Option("--provider", help="Whose image.")]


@image_app.command("build")
def build_command(
    provider: Provider = "docker",
    agents: Annotated[
        str, typer.Option(metavar="A,B", help="To install: claude,codex,… or all.")
    ] = "",
    base: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGE", help="To build on. Default: the provider's.", show_default=False
        ),
    ] = None,
    packages: Annotated[
        str | None,
        typer.Option(
            metavar="P,Q",
            help="Of the base's distribution; '' for none. Default: git, curl, ripgrep and the like.",
            show_default=False,
        ),
    ] = None,
    node: Annotated[
        bool, typer.Option("--node", help="With Node.js, for agents and tools written for it.")
    ] = False,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Of each sandbox, where the image decides that (e2b, daytona), as 4g. Default: what the agents need.",
            show_default=False,
        ),
    ] = None,
    cpus: Annotated[
        int | None, typer.Option(min=1, help="The same for processors.", show_default=False)
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            "--tag",
            help="Default: the one that the provider then uses by itself.",
            show_default=False,
        ),
    ] = None,
    build_arg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="For the installers, such as PIP_INDEX_URL, NPM_CONFIG_REGISTRY or HTTPS_PROXY; Docker takes any "
            "argument of the Dockerfile. Repeat for more.",
            show_default=False,
        ),
    ] = None,
    wheelhouse: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Take what the server needs from here and ask no index (`sandbox-agent wheelhouse build`).",
            show_default=False,
        ),
    ] = None,
    from_index: Annotated[
        bool, typer.Option("--from-index", help="Take the server from pip's index, not from here.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Also when nothing has changed.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only print the name.")] = False,
    option: Options = None,
) -> None:
    """Build one, unless nothing has changed. Prints its name. Without --name the provider then uses it by default."""
    spec = ImageSpec(
        agents=_words(agents),
        base=base,
        packages=None if packages is None else _words(packages),
        node=node,
        memory_mb=None if memory is None else megabytes("--memory", memory),
        cpus=cpus,
        name=name,
        settings=assignments("--build-arg", build_arg or []),
        rebuild=rebuild,
        report=(lambda _line: None) if quiet else _to_stderr,
    )
    finish(_build(provider, option, spec, wheelhouse, from_index=from_index, quiet=quiet))


@image_app.command("list")
def list_command(
    provider: Annotated[
        str | None,
        typer.Option("--provider", help="Only of this one. Default: all.", show_default=False),
    ] = None,
    option: Options = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Images of ours, of all providers that keep them; `*` marks what a provider uses by default."""
    finish(_list(provider, option, as_json=json))


@image_app.command("remove")
def remove_command(
    names: Annotated[list[str], typer.Argument(metavar="NAME")],
    provider: Provider = "docker",
    option: Options = None,
) -> None:
    """Remove images; sandboxes that exist stay."""
    finish(_remove(provider, option, names))


@image_app.command("dockerfile")
def dockerfile_command(provider: Provider = "docker") -> None:
    """Print the Dockerfile, to build by hand or to start from."""
    finish(_dockerfile(provider))


async def _build(
    name: str,
    option: list[str] | None,
    spec: ImageSpec,
    wheelhouse: Path | None,
    *,
    from_index: bool,
    quiet: bool,
) -> None:
    provider = _able(name, option)
    house = load_wheelhouse(wheelhouse) if wheelhouse is not None else ()
    wheels = () if from_index else server_wheels()
    made_of = SandboxSpec(wheels=lambda: wheels, wheelhouse=house)
    if not from_index and (why := no_server(made_of, spec.settings)) is not None:
        raise ProviderNotInstalled(why, provider=name)
    started = time.monotonic()
    npm = await asyncio.to_thread(callers_npm_registry, os.environ)
    inspector = () if from_index else inspector_wheels()
    made = replace(spec, wheels=wheels, inspector=inspector, wheelhouse=house, npm_registry=npm)
    image = await provider.build_image(made)
    if not quiet:
        _to_stderr(_outcome(image, time.monotonic() - started))
    print(image.name)


async def _list(name: str | None, option: list[str] | None, *, as_json: bool) -> None:
    providers = [_able(name, option)] if name is not None else _all_able()
    answers = await asyncio.gather(*map(_images_of, providers), return_exceptions=True)
    found: list[SandboxImage] = []
    for provider, answer in zip(providers, answers, strict=True):
        if isinstance(answer, BaseException):
            if name is not None or not isinstance(answer, SandboxAgentError | TimeoutError):
                raise answer
            # Installed is not in use: nobody who has no key there has images there.
            if not isinstance(answer, ProviderAuthError | ProviderNotInstalled):
                _to_stderr(f"sandbox-agent: {provider.name}: {plain(str(answer))}")
            continue
        found += answer
    if as_json:
        for image in found:
            print(json.dumps(_wire(image)))
    elif not found:
        print("No images.")
    else:
        rows = [
            (i.provider, "*" if i.is_default else "", _age(i.created_at), i.name) for i in found
        ]
        print_table(("provider", "", "made", "name"), rows)


async def _images_of(provider: SupportsImages) -> Sequence[SandboxImage]:
    async with asyncio.timeout(LIST_TIMEOUT_S):
        return await provider.list_images(wheels=server_wheels())


async def _remove(name: str, option: list[str] | None, names: Sequence[str]) -> ExitCode:
    provider = _able(name, option)
    code = ExitCode.OK
    for image in names:
        try:
            await provider.remove_image(image)
        except SandboxAgentError as exc:
            _to_stderr(f"sandbox-agent: {plain(exc.message)}")
            code = of_error(exc)
        else:
            _to_stderr(f"removed {image}")
    return code


async def _dockerfile(name: str) -> None:
    provider = find_provider(name)
    if not isinstance(provider, SupportsDockerfile):
        raise CapabilityNotSupported(
            f"Provider {name!r} builds from no Dockerfile.", provider=name, capability="dockerfile"
        )
    sys.stdout.write(provider.dockerfile())


def _able(name: str, option: list[str] | None) -> SupportsImages:
    """Raises: CapabilityNotSupported when it has no images of its own."""
    provider: SandboxProvider = find_provider(name, provider_options(option or []))
    if isinstance(provider, SupportsImages):
        return provider
    others = ", ".join(one.name for one in _all_able()) or "none that is installed"
    raise CapabilityNotSupported(
        f"Provider {name!r} makes its sandboxes from no image of ours. These do: {others}.",
        provider=name,
        capability="images",
    )


def _all_able() -> list[SupportsImages]:
    found = []
    for name in installed_providers():
        try:
            provider = find_provider(name)
        except SandboxAgentError:
            continue
        if isinstance(provider, SupportsImages):
            found.append(provider)
    return found


def _outcome(image: SandboxImage, seconds: float) -> str:
    what = f"built in {seconds:.0f} s" if image.is_new else "nothing has changed"
    if image.is_default:
        return f'{what}; SandboxAgent.start("{image.provider}") uses it by default'
    given = ", ".join(f"{option}={value!r}" for option, value in image.options.items())
    return f'{what}; use it with SandboxAgent.start("{image.provider}", {given})'


def _wire(image: SandboxImage) -> dict[str, object]:
    made = image.created_at
    return {
        "provider": image.provider,
        "name": image.name,
        "options": dict(image.options),
        "createdAt": made.isoformat() if made is not None else None,
        "isDefault": image.is_default,
    }


def _age(made: datetime | None) -> str:
    return "?" if made is None else f"{span(datetime.now(UTC) - made)} ago"


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _to_stderr(line: str) -> None:
    print(plain(line), file=sys.stderr, flush=True)
