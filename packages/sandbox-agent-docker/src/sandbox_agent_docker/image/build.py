"""Builds the full image: the server and agents, from our own wheels or from an index that was named."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.resources import files
from typing import Any

from sandbox_agent_core.errors import InvalidRequest, ProviderError, ProviderNotInstalled
from sandbox_agent_core.provisioning.image_recipe import PACKAGES, server_requirements
from sandbox_agent_core.provisioning.server_source import no_server
from sandbox_agent_core.spi.images import ImageSpec, SandboxImage
from sandbox_agent_core.spi.provider import SandboxSpec, Wheel

from sandbox_agent_docker.daemon import Daemon
from sandbox_agent_docker.daemon_address import find_daemon
from sandbox_agent_docker.image.built import image_labels, labels_of, layers_of
from sandbox_agent_docker.image.choice import PLAIN_IMAGE, full_image

__all__ = ["build", "build_image", "dockerfile"]

BUILD_SILENCE_TIMEOUT_S = 1800.0
"""For one step that says nothing: an agent may be hundreds of megabytes."""
OUTPUT_TAIL_LINES = 40
"""Of the build, in an error."""
_NOISE = (" --->", "Removing intermediate container")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ARGUMENT = re.compile(r"^ARG (\w+)", re.MULTILINE)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY")
_OF_DOCKER = {*_PROXIES, *map(str.lower, _PROXIES)}
"""Arguments that Docker takes for any Dockerfile, and leaves out of the image's history."""
_WHOLE_COMMAND = re.compile(r"The command '.*'", re.DOTALL)


def dockerfile() -> str:
    """The Dockerfile, to build from by hand."""
    return (files(__package__) / "Dockerfile").read_text(encoding="utf-8")


async def build_image(
    tag: str | None = None,
    *,
    agents: Sequence[str] = (),
    base: str = PLAIN_IMAGE,
    packages: Sequence[str] = PACKAGES,
    node: bool = False,
    wheels: Sequence[Wheel] = (),
    inspector: Sequence[Wheel] | None = (),
    wheelhouse: Sequence[Wheel] = (),
    from_index: bool = False,
    build_args: Mapping[str, str] | None = None,
    rebuild: bool = False,
    report: Callable[[str], None] = lambda _line: None,
    docker_host: str | None = None,
    context: str | None = None,
) -> str:
    """Build an image where something has changed since the last time; its name, `sandbox-agent:VERSION` unless
    told otherwise.

    Args:
        base: Has Python >= 3.11 with venv. packages: of its distribution, to install.
        agents: To install. node: also install Node.js, for agents that are written for it.
        wheels: Our own packages. from_index: without them, take the server from pip's index, on purpose.
        inspector: Its wheel; empty: from where the server comes, if it is there. None: no Inspector.
        wheelhouse: All that the server needs, pip too: then no index is asked.
        build_args: More of them, such as `PIP_INDEX_URL`, `NPM_CONFIG_REGISTRY` or `HTTPS_PROXY`.
        rebuild: Also when nothing has changed, and from nothing that Docker remembers.
        report: Told each line of the build.

    Raises:
        InvalidRequest: the Dockerfile has no such argument.
        ProviderUnavailable: the daemon does not answer.
        ProviderNotInstalled: there is no server to install.
        ProviderError: a step failed; the message ends with its output.
    """
    if not from_index:
        _check_server(SandboxSpec(wheels=lambda: wheels, wheelhouse=wheelhouse), build_args or {})
    spec = ImageSpec(
        name=tag,
        agents=agents,
        base=base,
        packages=packages,
        node=node,
        wheels=wheels,
        inspector=inspector,
        wheelhouse=wheelhouse,
        settings=build_args or {},
        rebuild=rebuild,
        report=report,
    )
    daemon = Daemon(partial(find_daemon, docker_host=docker_host, context=context))
    return (await build(daemon, spec)).name


async def build(daemon: Daemon, spec: ImageSpec) -> SandboxImage:
    """Not when an image of that name is there and was made of the same. Raises: as `build_image`."""
    name = spec.name or full_image()
    base = spec.base or PLAIN_IMAGE
    packages = PACKAGES if spec.packages is None else spec.packages
    requirements = server_requirements(
        spec.wheels,
        spec.wheelhouse,
        inspector=spec.inspector,
        node=spec.node,
        directory="/wheels",
    )
    arguments = {
        "BASE": base,
        "REQUIREMENTS": " ".join(requirements.needed),
        "OPTIONAL": " ".join(requirements.optional),
        "PACKAGES": " ".join(packages),
        "AGENTS": " ".join(spec.agents),
        **spec.settings,
    }
    _check_arguments(arguments)
    context = _build_context([*spec.wheelhouse, *(spec.inspector or ()), *spec.wheels])
    digest = hashlib.sha256(context + json.dumps(arguments, sort_keys=True).encode()).hexdigest()
    labels = image_labels(digest=digest, wheels=spec.wheels, agents=spec.agents)
    is_there = not spec.rebuild and await daemon.call(partial(_is_up_to_date, name, base, labels))
    if not is_there:
        # Not in the digest: the same agents come from anywhere.
        npm = {"NPM_CONFIG_REGISTRY": spec.npm_registry} if spec.npm_registry else {}
        work = partial(_build, name, context, {**npm, **arguments}, labels, spec)
        await daemon.call(work, only_listens=True, answer_timeout_s=BUILD_SILENCE_TIMEOUT_S)
    return SandboxImage(
        provider="docker",
        name=name,
        options={"image": name},
        is_default=name == full_image(),
        is_new=not is_there,
    )


def _is_up_to_date(name: str, base: str, labels: Mapping[str, str], client: Any) -> bool:
    if labels_of(client, name) != labels:
        return False
    below = layers_of(client, base)
    return layers_of(client, name)[: len(below)] == below


def _build(
    name: str,
    context: bytes,
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    spec: ImageSpec,
    client: Any,
) -> None:
    said: list[str] = []
    answer = client.api.build(
        fileobj=io.BytesIO(context),
        custom_context=True,
        tag=name,
        buildargs=dict(arguments),
        labels=dict(labels),
        nocache=spec.rebuild,
        rm=True,
        forcerm=True,
        decode=True,
    )
    for line in answer:
        if "error" in line:
            raise _not_built(name, line["error"], said)
        for text in _COLOUR.sub("", str(line.get("stream", ""))).splitlines():
            if text.strip() and not text.startswith(_NOISE):
                said.append(text.rstrip())
                spec.report(text.rstrip())


def _check_arguments(arguments: Mapping[str, str]) -> None:
    """Docker itself says nothing of one that nobody reads."""
    declared = set(_ARGUMENT.findall(dockerfile()))
    if unknown := arguments.keys() - declared - _OF_DOCKER:
        raise InvalidRequest(
            f"The Dockerfile has no argument {', '.join(sorted(unknown))}. It takes "
            f"{', '.join(sorted(declared))}, and Docker HTTP_PROXY, HTTPS_PROXY, FTP_PROXY, ALL_PROXY and NO_PROXY.",
            provider="docker",
        )


def _not_built(name: str, error: str, said: Sequence[str]) -> ProviderError:
    tail = "\n".join(said[-OUTPUT_TAIL_LINES:])
    why = _WHOLE_COMMAND.sub("a step", error)
    return ProviderError(
        f"The image {name!r} could not be built: {why}\n{tail}".strip(),
        provider="docker",
        image=name,
        log=tail or None,
    )


def _check_server(spec: SandboxSpec, build_args: Mapping[str, str]) -> None:
    if (why := no_server(spec, build_args)) is not None:
        raise ProviderNotInstalled(why, provider="docker")


def _build_context(wheels: Sequence[Wheel]) -> bytes:
    contents = {f"wheels/{wheel.filename}": wheel.content for wheel in wheels}
    contents["Dockerfile"] = dockerfile().encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            # No time: the same wheels are the same layer, so the daemon's cache is used.
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
