"""What is done to containers: functions for `Daemon.call`, which give plain facts."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sandbox_agent_core.errors import ProviderError, ProviderTimeout
from sandbox_agent_core.spi.labels import OURS

from sandbox_agent_docker.archive import ENTRY_BYTES, Owner, only_file, owner_of_directory

__all__ = [
    "Container",
    "create",
    "inspect",
    "list_labelled",
    "owner_of",
    "pause",
    "read_file",
    "remove",
    "remove_labelled",
    "start",
    "unpack",
    "unpack_into_volumes",
    "wake",
]

REMOVAL_TIMEOUT_S = 30.0
"""For a removal that somebody else has begun."""
REMOVAL_POLL_S = 0.1
CONFLICT = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    id: str
    name: str
    state: Literal["running", "paused", "stopped"]
    created_at: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[int, int] = field(default_factory=dict)
    """TCP port in the container to port of the daemon's machine."""
    addresses: Sequence[str] = ()
    """Its own, in its networks."""
    is_out_of_memory: bool = False
    """The kernel has killed in it for want of memory, as far as Docker knows."""


def create(
    client: Any,
    *,
    image: str,
    name: str,
    arguments: Mapping[str, Any],
    networks: Sequence[str],
) -> str:
    """Its id; it does not run yet.

    Raises:
        ProviderError: the name is taken.
    """
    from docker.errors import APIError  # noqa: PLC0415

    try:
        container_id: str = client.containers.create(image, name=name, **arguments).id
    except APIError as exc:
        if exc.status_code != CONFLICT:
            raise
        raise ProviderError(
            f"There is a container {name!r} already: take it over by its reference, destroy it, or choose "
            "another name.",
            provider="docker",
            name=name,
        ) from exc
    for network in networks:
        client.api.connect_container_to_network(container_id, network)
    return container_id


def start(container_id: str, client: Any) -> None:
    """Raises: ProviderError when the image has no shell."""
    from docker.errors import APIError  # noqa: PLC0415

    try:
        client.api.start(container_id)
    except APIError as exc:
        if "/bin/sh" not in str(exc.explanation):
            raise
        raise ProviderError(
            "The image has no /bin/sh, which a sandbox needs.", provider="docker"
        ) from exc


def inspect(container_id: str, client: Any) -> Container:
    return _container(client.api.inspect_container(container_id))


def pause(container_id: str, client: Any) -> None:
    if inspect(container_id, client).state == "running":
        client.api.pause(container_id)


def wake(container_id: str, client: Any) -> None:
    """Whatever it does now, it runs afterwards."""
    state = inspect(container_id, client).state
    if state == "paused":
        client.api.unpause(container_id)
    elif state == "stopped":
        client.api.start(container_id)


def remove(container_id: str, client: Any) -> None:
    """It is gone afterwards, also when somebody else is removing it at this moment."""
    from docker.errors import APIError  # noqa: PLC0415

    deadline = time.monotonic() + REMOVAL_TIMEOUT_S
    while True:
        try:
            client.api.remove_container(container_id, force=True, v=True)
        except APIError as exc:
            if exc.status_code != CONFLICT:
                raise
            if time.monotonic() > deadline:
                raise ProviderTimeout(
                    f"Docker does not finish removing the container {container_id[:12]!r}.",
                    provider="docker",
                ) from exc
            time.sleep(REMOVAL_POLL_S)
        else:
            return


def remove_labelled(label: str, value: str, client: Any) -> None:
    from docker.errors import NotFound  # noqa: PLC0415

    for one in client.api.containers(all=True, filters={"label": f"{label}={value}"}):
        with contextlib.suppress(NotFound):
            remove(one["Id"], client)


def list_labelled(labels: Sequence[str], client: Any) -> list[Container]:
    found = client.api.containers(all=True, filters={"label": list(labels)})
    return [
        Container(
            id=one["Id"],
            name=one["Names"][0].lstrip("/") if one.get("Names") else one["Id"][:12],
            state=_state(one["State"]),
            created_at=datetime.fromtimestamp(one["Created"], UTC),
            labels=one.get("Labels") or {},
        )
        for one in found
        if one["State"] not in {"removing", "dead"}
    ]


def unpack(container_id: str, directory: str, archive: bytes, client: Any) -> None:
    client.api.put_archive(container_id, directory, archive)


def unpack_into_volumes(container_id: str, directory: str, archive: bytes, client: Any) -> None:
    """Docker refuses to unpack into a container whose image is read-only, even where a volume is meant.
    One that is never started, and has the same volumes, takes it."""
    facts = client.api.inspect_container(container_id)
    labels = {name: value for name, value in facts["Config"]["Labels"].items() if name != OURS}
    helper = client.api.create_container(
        facts["Image"],
        entrypoint=["/bin/sh"],
        labels=labels,
        host_config=client.api.create_host_config(volumes_from=[container_id]),
    )["Id"]
    try:
        client.api.put_archive(helper, directory, archive)
    finally:
        client.api.remove_container(helper, force=True)


def read_file(container_id: str, path: str, client: Any) -> bytes:
    """Also when it does not run; empty when there is no such file."""
    from docker.errors import NotFound  # noqa: PLC0415

    try:
        chunks, _ = client.api.get_archive(container_id, path)
        return only_file(b"".join(chunks))
    except NotFound:
        inspect(container_id, client)
        return b""


def owner_of(container_id: str, path: str, client: Any) -> Owner | None:
    """Of a directory, as the container sees it, also when it does not run; None when there is none."""
    from docker.errors import NotFound  # noqa: PLC0415

    try:
        chunks, _ = client.api.get_archive(container_id, path)
    except NotFound:
        return None
    # Its own entry comes first; what is in it may be large, and is not waited for.
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= ENTRY_BYTES:
            break
    return owner_of_directory(head)


def _container(facts: Mapping[str, Any]) -> Container:
    settings = facts.get("NetworkSettings") or {}
    networks = settings.get("Networks") or {}
    addresses = [one["IPAddress"] for one in networks.values() if one.get("IPAddress")]
    return Container(
        id=facts["Id"],
        name=facts["Name"].lstrip("/"),
        state=_state(facts["State"]["Status"]),
        created_at=_time(facts["Created"]),
        labels=(facts.get("Config") or {}).get("Labels") or {},
        published={
            int(inside.removesuffix("/tcp")): int(bindings[0]["HostPort"])
            for inside, bindings in (settings.get("Ports") or {}).items()
            if bindings and inside.endswith("/tcp")
        },
        addresses=addresses,
        is_out_of_memory=bool(facts["State"].get("OOMKilled")),
    )


def _state(status: str) -> Literal["running", "paused", "stopped"]:
    if status == "paused":
        return "paused"
    return "running" if status in {"running", "restarting"} else "stopped"


def _time(text: str) -> datetime | None:
    """Docker writes nanoseconds, which Python does not read."""
    found = re.match(r"(\d+-\d+-\d+T\d+:\d+:\d+)(\.\d{1,6})?", text)
    return datetime.fromisoformat(f"{found[1]}{found[2] or ''}+00:00") if found else None
