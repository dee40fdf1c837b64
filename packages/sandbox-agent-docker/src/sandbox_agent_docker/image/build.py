"""Builds the full image: the server and agents, from our own wheels or from an index that was named."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from sandbox_agent_core.errors import ProviderError, ProviderNotInstalled
from sandbox_agent_core.provisioning.server_source import no_server
from sandbox_agent_core.spi.provider import SandboxSpec, Wheel

from sandbox_agent_docker.daemon import Daemon
from sandbox_agent_docker.daemon_address import find_daemon
from sandbox_agent_docker.image.choice import PLAIN_IMAGE, full_image

__all__ = ["PACKAGES", "build_image", "dockerfile"]

PACKAGES = ("bash", "git", "curl", "ca-certificates", "openssh-client", "ripgrep", "procps")
"""What agents like to have, of the base's distribution."""
BUILD_SILENCE_TIMEOUT_S = 1800.0
"""For one step that says nothing: an agent may be hundreds of megabytes."""
OUTPUT_TAIL_LINES = 40
"""Of the build, in an error."""
_NOISE = (" --->", "Removing intermediate container")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
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
    wheelhouse: Sequence[Wheel] = (),
    from_index: bool = False,
    build_args: Mapping[str, str] | None = None,
    report: Callable[[str], None] = lambda _line: None,
    docker_host: str | None = None,
    context: str | None = None,
) -> str:
    """Build an image; its name, `sandbox-agent:VERSION` unless told otherwise.

    Args:
        base: Has Python >= 3.11 with venv. packages: of its distribution, to install.
        agents: To install. node: also install Node.js, for agents that are written for it.
        wheels: Our own packages. from_index: without them, take the server from pip's index, on purpose.
        wheelhouse: All that the server needs, pip too: then no index is asked.
        build_args: More of them, such as `PIP_INDEX_URL` or `HTTPS_PROXY`.
        report: Told each line of the build.

    Raises:
        ProviderUnavailable: the daemon does not answer.
        ProviderNotInstalled: there is no server to install.
        ProviderError: a step failed; the message ends with its output.
    """
    name = tag or full_image()
    if not from_index:
        arguments = build_args or {}
        _check_server(SandboxSpec(wheels=lambda: wheels, wheelhouse=wheelhouse), arguments)
    arguments = {
        "BASE": base,
        "REQUIREMENTS": _requirements(wheels, wheelhouse, node=node),
        "PACKAGES": " ".join(packages),
        "AGENTS": " ".join(agents),
        **(build_args or {}),
    }
    daemon = Daemon(partial(find_daemon, docker_host=docker_host, context=context))
    work = partial(_build, name, _build_context([*wheelhouse, *wheels]), arguments, report)
    await daemon.call(work, only_listens=True, answer_timeout_s=BUILD_SILENCE_TIMEOUT_S)
    return name


def _build(
    name: str,
    build_context: bytes,
    arguments: Mapping[str, str],
    report: Callable[[str], None],
    client: Any,
) -> None:
    said: list[str] = []
    answer = client.api.build(
        fileobj=io.BytesIO(build_context),
        custom_context=True,
        tag=name,
        buildargs=dict(arguments),
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
                report(text.rstrip())


def _not_built(name: str, error: str, said: Sequence[str]) -> ProviderError:
    tail = "\n".join(said[-OUTPUT_TAIL_LINES:])
    why = _WHOLE_COMMAND.sub("a step", error)
    return ProviderError(
        f"The image {name!r} could not be built: {why}\n{tail}".strip(),
        provider="docker",
        image=name,
        log=tail or None,
    )


def _requirements(wheels: Sequence[Wheel], wheelhouse: Sequence[Wheel], *, node: bool) -> str:
    extra = "[node]" if node else ""
    ours = [wheel.filename for wheel in (*wheelhouse, *wheels)]
    server = next((name for name in ours if name.startswith("sandbox_agent_server-")), None)
    if server is None:
        minor = ".".join(version("sandbox-agent-docker").split(".")[:2])
        return f"sandbox-agent-server{extra}~={minor}.0"
    core = [name for name in ours if name.startswith("sandbox_agent_core-")]
    return " ".join(f"/wheels/{name}" for name in (*dict.fromkeys(core), f"{server}{extra}"))


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
