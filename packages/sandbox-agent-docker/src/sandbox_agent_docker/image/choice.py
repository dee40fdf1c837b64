"""Which image a sandbox is made from, and getting it here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

from sandbox_agent_core.errors import ProviderError

from sandbox_agent_docker.daemon import Daemon
from sandbox_agent_docker.image.progress import PullProgress
from sandbox_agent_docker.options import ImageFacts, Pull

__all__ = ["PLAIN_IMAGE", "Choice", "ask_registry", "choose_image", "full_image", "get_image"]

PLAIN_IMAGE = "python:3.12-slim"
"""What the server is installed into, at each create, when there is no image that has it."""
PULL_SILENCE_TIMEOUT_S = 300.0
"""For the daemon to say something about a pull that is under way."""


def full_image() -> str:
    """The name that `sandbox-agent image build` gives."""
    return f"sandbox-agent:{version('sandbox-agent-docker')}"


@dataclass(frozen=True, slots=True)
class Choice:
    name: str
    facts: ImageFacts | None
    """None: it is not here, and may be pulled."""


async def choose_image(daemon: Daemon, wanted: str | None, pull: Pull) -> Choice:
    """The image of that name; without a name our own when it was built here, else a plain one.

    Raises:
        ProviderError: it is not here and `pull` forbids getting it.
    """
    if wanted is None:
        own = await daemon.call(lambda client: _find(client, full_image()))
        if own is not None:
            return Choice(full_image(), own)
    name = wanted or PLAIN_IMAGE
    facts = await daemon.call(lambda client: _find(client, name))
    if facts is None and pull == "never":
        raise ProviderError(
            f"The image {name!r} is not on the Docker daemon, and pull='never'. Run `docker pull {name}`, or "
            "build one with `sandbox-agent image build`.",
            provider="docker",
            image=name,
        )
    return Choice(name, facts)


async def get_image(
    daemon: Daemon, choice: Choice, *, pull: Pull, report: Callable[[str], None]
) -> ImageFacts:
    """Pull it where that is due.

    Raises:
        ProviderError: it cannot be pulled.
    """
    is_built_here = choice.name == full_image()
    if choice.facts is not None and (pull != "always" or is_built_here):
        return choice.facts
    report(f"pulling {choice.name}")
    await daemon.call(
        partial(_pull, choice.name, report),
        only_listens=True,
        answer_timeout_s=PULL_SILENCE_TIMEOUT_S,
    )
    facts = await daemon.call(lambda client: _find(client, choice.name))
    if facts is None:
        raise _not_pulled(choice.name, "the daemon does not have it afterwards")
    return facts


async def ask_registry(daemon: Daemon, name: str, *, timeout_s: float) -> None:
    """Raises: ProviderError when the registry does not have it, refuses, or is not reached."""
    await daemon.call(
        lambda client: client.api.inspect_distribution(name), answer_timeout_s=timeout_s
    )


def _pull(name: str, report: Callable[[str], None], client: Any) -> None:
    from docker.errors import APIError  # noqa: PLC0415
    from docker.utils import parse_repository_tag  # noqa: PLC0415

    repository, tag = parse_repository_tag(name)
    progress = PullProgress(name)
    try:
        for line in client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if "error" in line:
                raise _not_pulled(name, line["error"])
            if (words := progress.take(line)) is not None:
                report(words)
    except APIError as exc:
        raise _not_pulled(name, exc.explanation or exc) from exc


def _not_pulled(name: str, why: object) -> ProviderError:
    return ProviderError(
        f"The image {name!r} cannot be pulled: {why}. Check its name and `docker login`; without a registry, "
        "build one with `sandbox-agent image build` or load one with `docker load`.",
        provider="docker",
        image=name,
    )


def _find(client: Any, name: str) -> ImageFacts | None:
    from docker.errors import ImageNotFound  # noqa: PLC0415

    try:
        config: Mapping[str, Any] = client.api.inspect_image(name).get("Config") or {}
    except ImageNotFound:
        return None
    pairs = (assignment.partition("=") for assignment in config.get("Env") or ())
    return ImageFacts(user=config.get("User") or "", env={name: value for name, _, value in pairs})
