"""What our images say about themselves, and finding them by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sandbox_agent_core.errors import ProviderError
from sandbox_agent_core.spi.images import SandboxImage, image_name
from sandbox_agent_core.spi.labels import KEPT
from sandbox_agent_core.spi.provider import Wheel

from sandbox_agent_docker.image.choice import full_image

__all__ = [
    "KIND",
    "commit",
    "image_labels",
    "labels_of",
    "layers_of",
    "list_ours",
    "remove",
    "stale_warning",
]

KIND = "sandbox-agent-image"
"""`built` or `snapshot`."""
_DIGEST = "sandbox-agent-digest"
"""Of all that went in."""
_CODE = "sandbox-agent-code"
"""Which state of the server's code is inside."""
_AGENTS = "sandbox-agent-agents"
_CONFLICT = 409


def image_labels(*, digest: str, wheels: Sequence[Wheel], agents: Sequence[str]) -> dict[str, str]:
    return {
        KIND: "built",
        _DIGEST: digest,
        _CODE: image_name(wheels),
        _AGENTS: " ".join(agents),
    }


def labels_of(client: Any, name: str) -> Mapping[str, str]:
    """None of ours when there is no such image."""
    labels = (_inspect(client, name).get("Config") or {}).get("Labels") or {}
    return {label: labels[label] for label in (KIND, _DIGEST, _CODE, _AGENTS) if label in labels}


def layers_of(client: Any, name: str) -> Sequence[str]:
    """From the lowest; none when there is no such image."""
    layers: Sequence[str] = (_inspect(client, name).get("RootFS") or {}).get("Layers") or ()
    return layers


def stale_warning(labels: Mapping[str, str], wheels: Sequence[Wheel]) -> str | None:
    """When the image has another state of the server's code than is installed here."""
    if not wheels or labels.get(_CODE, image_name(wheels)) == image_name(wheels):
        return None
    return "the image has another build of the server than is installed here; `sandbox-agent image build` renews it"


def list_ours(client: Any) -> list[SandboxImage]:
    found = client.api.images(filters={"label": KIND})
    return [
        SandboxImage(
            provider="docker",
            name=name,
            options={"image": name},
            created_at=datetime.fromtimestamp(one["Created"], UTC),
            is_default=name == full_image(),
            is_new=False,
        )
        for one in sorted(found, key=lambda one: -one["Created"])
        for name in one.get("RepoTags") or ()
        if name != "<none>:<none>"
    ]


def commit(container_id: str, name: str, client: Any) -> None:
    """The container's files as an image of that name."""
    from docker.utils import parse_repository_tag  # noqa: PLC0415

    repository, tag = parse_repository_tag(name)
    # What is made from it has labels of its own: that this one was to be kept is not the next one's.
    labels = {KIND: "snapshot", KEPT: ""}
    client.api.commit(container_id, repository, tag or "latest", conf={"Labels": labels})


def remove(name: str, client: Any) -> None:
    """Only one of ours; one that is not there is no error.

    Raises:
        ProviderError: it is not ours, or a container is made from it.
    """
    from docker.errors import APIError  # noqa: PLC0415

    if not _inspect(client, name):
        return
    if not labels_of(client, name):
        raise ProviderError(
            f"The image {name!r} was not made by sandbox-agent. Remove it with `docker image rm {name}`.",
            provider="docker",
            image=name,
        )
    try:
        client.api.remove_image(name)
    except APIError as exc:
        if exc.status_code != _CONFLICT:
            raise
        raise ProviderError(
            f"The image {name!r} is in use: {exc.explanation}. Destroy its sandboxes first "
            "(`sandbox-agent sandboxes list --provider docker`).",
            provider="docker",
            image=name,
        ) from exc


def _inspect(client: Any, name: str) -> Mapping[str, Any]:
    from docker.errors import ImageNotFound  # noqa: PLC0415

    try:
        found: Mapping[str, Any] = client.api.inspect_image(name)
    except ImageNotFound:
        return {}
    return found
