"""The options of a container, as the arguments of Docker's own `create`. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import normpath
from typing import Any, Literal

from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.spi.labels import OURS

__all__ = [
    "CPUS",
    "HOME",
    "MEMORY",
    "PIDS_LIMIT",
    "STATE_PARENT",
    "USER",
    "WORKDIR",
    "ContainerOptions",
    "ImageFacts",
    "Mount",
    "Pull",
]

SERVER_PORT = 2468
WORKDIR = "/workspace"
STATE_PARENT = "/var/lib"
"""The server's files are in `/var/lib/.sandbox-agent`: the same place whatever the image's user is."""

USER = "1000:1000"
"""Who the server and its agents are in an image that would have them be root, where nothing of a person's is
mounted."""
HOME = "/home/agent"
"""Of a user that the image does not know."""
MEMORY = "4g"
CPUS = 2.0
PIDS_LIMIT = 1024
"""Processes and threads."""
TMP_OPTIONS = "rw,exec,nosuid,nodev,size=1g,mode=1777"
"""Of `/tmp` when the image is read-only."""

Pull = Literal["missing", "always", "never"]
Mounts = Mapping[str | os.PathLike[str], str]
Ports = Sequence[int] | Mapping[int, int]
Gpus = Literal["all"] | int | Sequence[str]

# The container only holds the place: the server is started in it, ends with it, and is told beforehand.
_KEEPER = """\
stop() {{
  pid=$(cat {pid} 2>/dev/null) && kill -TERM "$pid" 2>/dev/null || exit 0
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do kill -0 "$pid" 2>/dev/null || exit 0; sleep 0.5; done
  exit 0
}}
trap stop TERM INT
while :; do sleep 3600 & wait $!; done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What an image's own configuration says."""

    user: str = ""
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_root(self) -> bool:
        return self.user.partition(":")[0] in {"", "0", "root"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """Something of the caller's in the sandbox."""

    source: str
    target: str
    is_volume: bool
    is_read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOptions:
    """See `DockerProvider` for what each means."""

    mounts: Mounts = field(default_factory=dict)
    network: str | Sequence[str] | None = None
    ports: Ports = ()
    publish_address: str = "127.0.0.1"
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    gpus: Gpus | None = None
    runtime: str | None = None
    user: str | None = None
    cpus: float | None = None
    memory: str | int | None = None
    pids_limit: int | None = None
    read_only: bool = False
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    hardened: bool = True
    server_port: int = SERVER_PORT
    workdir: str = WORKDIR
    create_options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.workdir.startswith("/"):
            raise InvalidRequest(f"workdir: {self.workdir!r} is not an absolute path.")
        if "none" in self.networks:
            raise InvalidRequest(
                "network='none' also cuts off the server. For a sandbox without internet use a network made by "
                "`docker network create --internal NAME`."
            )

    @property
    def networks(self) -> Sequence[str]:
        if self.network is None:
            return ()
        return (self.network,) if isinstance(self.network, str) else tuple(self.network)

    @property
    def shares_host_network(self) -> bool:
        return "host" in self.networks

    @property
    def workspaces(self) -> Sequence[str]:
        """The first of these that is a directory has an owner who is to work there: `workdir` where that is the
        caller's, else what the caller has mounted so that it can be written."""
        if self.is_mounted(self.workdir):
            return [self.workdir]
        return [
            str(one["Target"])
            for one in self._mounts()
            if one["Type"] == "bind" and not one["ReadOnly"]
        ]

    @property
    def writable_mounts(self) -> Sequence[str]:
        """Where the caller has mounted something that is to be written."""
        return [str(one["Target"]) for one in self._mounts() if not one["ReadOnly"]]

    def own_volumes(self, home: str | None, state: str) -> list[str]:
        """Directories that can be written although the image is read-only; they live with the container."""
        if not self.read_only:
            return []
        wanted = dict.fromkeys([state, self.workdir, *([home] if home else [])])
        return [path for path in wanted if not self.is_mounted(path)]

    def is_mounted(self, path: str) -> bool:
        """The path is in, or is, something of the caller's."""
        targets = [_split_target(target)[0] for target in self.mounts.values()]
        return any(_is_within(path, target) for target in (*targets, *self.tmpfs))

    def mount_of(self, path: str) -> Mount | None:
        """The mount that the path is in, the innermost."""
        found = [one for one in self._mounts() if _is_within(path, one["Target"])]
        inner = max(found, key=lambda one: len(one["Target"]), default=None)
        if inner is None:
            return None
        return Mount(
            source=inner["Source"],
            target=inner["Target"],
            is_volume=inner["Type"] == "volume",
            is_read_only=inner["ReadOnly"],
        )

    def arguments(
        self,
        image: ImageFacts,
        *,
        state: str,
        pid_file: str,
        labels: Mapping[str, str],
        processors: int,
        user: str | None = None,
        home: str | None = None,
    ) -> dict[str, Any]:
        """For `docker.DockerClient().containers.create(image, …)`. `processors` are those of the daemon;
        `user` and `home` who runs, None as the image has it."""
        volumes = self.own_volumes(home or image.env.get("HOME"), state)
        made: dict[str, Any] = {
            "entrypoint": ["/bin/sh", "-c", _KEEPER.format(pid=pid_file)],
            "command": [],
            "labels": {OURS: "1", **labels},
            "working_dir": "/",
            "mounts": [*self._mounts(), *map(_volume, volumes)],
            "init": True,
        }
        if user is not None:
            made["user"] = user
        if home is not None:
            made["environment"] = {"HOME": home}
        made |= self._network_arguments() | self._limits(processors)
        if self.hardened:
            made |= {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}
        if self.read_only or self.tmpfs:
            made["read_only"] = self.read_only
            made["tmpfs"] = {**({"/tmp": TMP_OPTIONS} if self.read_only else {}), **self.tmpfs}  # noqa: S108
        if self.extra_hosts:
            made["extra_hosts"] = dict(self.extra_hosts)
        if self.runtime is not None:
            made["runtime"] = self.runtime
        if self.gpus is not None:
            made["device_requests"] = [_device_request(self.gpus)]
        return _laid_over(made, self.create_options)

    def _mounts(self) -> list[dict[str, Any]]:
        return [_mount(source, target) for source, target in self.mounts.items()]

    def _network_arguments(self) -> dict[str, Any]:
        if self.shares_host_network:
            return {"network_mode": "host"}
        wanted = self.ports if isinstance(self.ports, Mapping) else dict.fromkeys(self.ports)
        published = {self.server_port: None, **wanted}
        return {
            "ports": {
                f"{inside}/tcp": (self.publish_address, outside)
                for inside, outside in published.items()
            },
            **({"network": self.networks[0]} if self.networks else {}),
        }

    def _limits(self, processors: int) -> dict[str, Any]:
        memory = self.memory if self.memory is not None else MEMORY if self.hardened else None
        # A daemon refuses more processors than it has.
        default_cpus = min(CPUS, processors) if self.hardened else None
        cpus = self.cpus if self.cpus is not None else default_cpus
        pids = (
            self.pids_limit
            if self.pids_limit is not None
            else PIDS_LIMIT
            if self.hardened
            else None
        )
        made: dict[str, Any] = {}
        if memory is not None:
            # The same number for both: what goes beyond the memory must not go on in swap.
            made |= {"mem_limit": memory, "memswap_limit": memory}
        if cpus is not None:
            made["nano_cpus"] = round(cpus * 1e9)
        if pids is not None:
            made["pids_limit"] = pids
        return made


def _laid_over(made: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's own arguments win; tables are merged, so that our labels and our port stay."""
    merged = dict(made)
    for name, value in given.items():
        mine = merged.get(name)
        if isinstance(mine, Mapping) and isinstance(value, Mapping):
            merged[name] = {**mine, **value}
        elif name == "mounts":
            merged[name] = [*(mine or []), *value]
        else:
            merged[name] = value
    return merged


def _mount(source: str | os.PathLike[str], target: str) -> dict[str, Any]:
    inside, is_read_only = _split_target(target)
    if not inside.startswith("/"):
        raise InvalidRequest(f"mounts: {target!r} is not an absolute path in the sandbox.")
    text = os.fspath(source)
    is_path = isinstance(source, os.PathLike) or text.startswith(("/", ".", "~")) or "\\" in text
    return {
        "Type": "bind" if is_path else "volume",
        "Source": str(Path(text).expanduser().absolute()) if is_path else text,
        "Target": inside,
        "ReadOnly": is_read_only,
    }


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")


def _split_target(target: str) -> tuple[str, bool]:
    """`/path:ro` -> (`/path`, True)."""
    for suffix, is_read_only in ((":ro", True), (":rw", False)):
        if target.endswith(suffix):
            return normpath(target.removesuffix(suffix)), is_read_only
    return normpath(target), False


def _volume(target: str) -> dict[str, Any]:
    return {"Type": "volume", "Target": target}


def _device_request(gpus: Gpus) -> dict[str, Any]:
    if gpus == "all":
        chosen: dict[str, Any] = {"count": -1}
    elif isinstance(gpus, int):
        chosen = {"count": gpus}
    else:
        chosen = {"device_ids": list(gpus)}
    return {**chosen, "capabilities": [["gpu"]]}
