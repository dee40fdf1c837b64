"""How a sandbox is made: the caller's options as parameters of Daytona's SDK."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.provisioning.agent_memory import needed_memory_mb
from sandbox_agent_core.spi.images import ImageSpec

from sandbox_agent_daytona.errors import PROVIDER

if TYPE_CHECKING:
    from daytona import CreateSandboxFromImageParams, CreateSandboxFromSnapshotParams, Image

__all__ = ["BUILD_TIMEOUT_S", "CREATE_TIMEOUT_S", "SandboxOptions", "fields", "to_minutes"]

CREATE_TIMEOUT_S = 180.0
"""Until a sandbox that is made from a snapshot has started."""
BUILD_TIMEOUT_S = 900.0
"""The same from an image, which Daytona pulls, or builds, the first time."""
BUILD_LIFETIME_S = 3600.0
"""Of a sandbox that becomes a snapshot, should nobody be left to destroy it."""
_SECONDS_PER_MINUTE = 60
_MB_PER_GB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """See `DaytonaProvider` for what each means. Raises: InvalidRequest when they do not go together."""

    image: str | Image | None = None
    snapshot: str | None = None
    cpu: int | None = None
    memory_gb: int | None = None
    disk_gb: int | None = None
    gpus: int | None = None
    user: str | None = None
    lifetime_s: float | None = None
    auto_stop_s: float = 0
    internet: bool = True
    allowed_domains: Sequence[str] = ()
    volumes: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    public: bool = False
    create_options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.image is not None and self.snapshot is not None:
            raise InvalidRequest("Give either image or snapshot.", provider=PROVIDER)
        if self.image is None and self._resources:
            raise InvalidRequest(
                f"{', '.join(self._resources)}: a snapshot has its own resources. Give an image.",
                provider=PROVIDER,
            )
        if self.allowed_domains and not self.internet:
            raise InvalidRequest(
                "Give either allowed_domains or internet=False.", provider=PROVIDER
            )
        for name, value in (("lifetime", self.lifetime_s), ("auto_stop", self.auto_stop_s)):
            if value is not None and value < 0:
                raise InvalidRequest(f"{name}={value:g}: give seconds", provider=PROVIDER)

    @property
    def source(self) -> str:
        """In a few words, for people."""
        if isinstance(self.image, str):
            return f"the image {self.image}"
        if self.image is not None:
            return "an image that Daytona builds"
        return f"the snapshot {self.snapshot}" if self.snapshot else "the default snapshot"

    @property
    def names_image(self) -> bool:
        return (
            self.image is not None or self.snapshot is not None or "snapshot" in self.create_options
        )

    @property
    def create_timeout_s(self) -> float:
        return CREATE_TIMEOUT_S if self.image is None else BUILD_TIMEOUT_S

    @property
    def _resources(self) -> dict[str, Any]:
        """By the names that the SDK has for them."""
        given = {
            "cpu": self.cpu,
            "memory": self.memory_gb,
            "disk": self.disk_gb,
            "gpu": self.gpus,
        }
        return {name: value for name, value in given.items() if value is not None}

    def to_build(self, spec: ImageSpec) -> tuple[SandboxOptions, ImageSpec]:
        """Of the sandbox that becomes a snapshot, whose resources those made from it have, too; and the spec with all of
        that, so that its digest is of what is built.

        Raises:
            InvalidRequest: it wants resources, which Daytona's own snapshot does not let be chosen.
        """
        image = spec.base or self.image
        snapshot = None if spec.base else self.snapshot
        memory_gb = self.memory_gb if spec.memory_mb is None else _to_gb(spec.memory_mb)
        if image is None and (spec.cpus is not None or memory_gb is not None):
            raise InvalidRequest(
                "A snapshot of Daytona's has its own resources. Build on an image (--base python:3.12) to choose them.",
                provider=PROVIDER,
            )
        if image is not None and memory_gb is None and (needed := needed_memory_mb(spec.agents)):
            memory_gb = _to_gb(needed)
        cpu = spec.cpus or self.cpu
        options = SandboxOptions(
            image=image,
            snapshot=snapshot,
            cpu=cpu,
            memory_gb=memory_gb,
            disk_gb=self.disk_gb,
            gpus=self.gpus,
            user=self.user,
            lifetime_s=BUILD_LIFETIME_S,
        )
        said = image if isinstance(image, str) else snapshot
        memory_mb = None if memory_gb is None else memory_gb * _MB_PER_GB
        return options, replace(spec, base=said, cpus=cpu, memory_mb=memory_mb)

    def parameters(
        self, *, name: str, labels: Mapping[str, str]
    ) -> CreateSandboxFromImageParams | CreateSandboxFromSnapshotParams:
        """For `AsyncDaytona.create`.

        Raises:
            InvalidRequest: an option of the caller's is none of the SDK's, or has a wrong value.
        """
        from pydantic import ValidationError  # noqa: PLC0415 - with the SDK

        kind = _parameters(self.image)
        given = {"name": name, **self._arguments(), **self.create_options}
        given["labels"] = {**(self.create_options.get("labels") or {}), **labels}
        try:
            return kind(**given)
        except ValidationError as exc:
            raise InvalidRequest(
                f"Daytona's SDK refused an option: {exc}", provider=PROVIDER
            ) from exc

    def _arguments(self) -> dict[str, Any]:
        import daytona  # noqa: PLC0415 - the SDK is imported on first use

        arguments: dict[str, Any] = {
            "os_user": self.user,
            "public": self.public,
            # Of both, Daytona's own default is to stop an idle sandbox after 15 minutes.
            "auto_stop_interval": to_minutes(self.auto_stop_s),
            "ttl_minutes": to_minutes(self.lifetime_s or 0),
            "network_block_all": None if self.internet else True,
            "domain_allow_list": ",".join(self.allowed_domains) or None,
            "secrets": dict(self.secrets) or None,
            "volumes": [
                daytona.VolumeMount(volume_id=volume, mount_path=path)
                for volume, path in self.volumes.items()
            ],
        }
        if self.image is None:
            return arguments | {"snapshot": self.snapshot}
        resources = daytona.Resources(**self._resources) if self._resources else None
        return arguments | {"image": self.image, "resources": resources}


def fields(image: str | Image | None) -> Collection[str]:
    """What the SDK's `create` takes for such a source."""
    return _parameters(image).model_fields


def _parameters(
    image: str | Image | None,
) -> type[CreateSandboxFromImageParams | CreateSandboxFromSnapshotParams]:
    import daytona  # noqa: PLC0415 - the SDK is imported on first use

    if image is None:
        return daytona.CreateSandboxFromSnapshotParams
    return daytona.CreateSandboxFromImageParams


def _to_gb(megabytes: int) -> int:
    """Daytona counts in whole ones."""
    return math.ceil(megabytes / _MB_PER_GB)


def to_minutes(seconds: float) -> int:
    """Rounded up, as Daytona counts; 0 stays 0, which is never."""
    return math.ceil(seconds / _SECONDS_PER_MINUTE)
