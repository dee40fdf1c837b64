"""What Docker's SDK raises, as errors of ours: mapped here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

from sandbox_agent_core.errors import (
    InvalidRequest,
    ProviderAuthError,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    SandboxNotFound,
)

from sandbox_agent_docker.daemon_address import DaemonAddress

__all__ = ["daemon_errors", "daemon_unavailable"]

PROVIDER = "docker"
_HINTS: Final = tuple(
    (re.compile(words), hint)
    for words, hint in (
        (
            r"device driver .*gpu|nvidia",
            "`gpus` needs an NVIDIA driver and the NVIDIA Container Toolkit on the daemon's machine: "
            "`docker run --rm --gpus all IMAGE nvidia-smi` shows when it works.",
        ),
        (
            r"bind source path does not exist|statfs .*no such file",
            "Paths in `mounts` are those of the daemon's machine; a name without a slash is a volume.",
        ),
        (
            r"container-init binary not found",
            "Podman lacks its init: install `catatonit` there, or give create_options={'init': False}.",
        ),
        (
            r"port is already allocated|address already in use",
            "Give another port in `ports`, or a list of ports, for which Docker chooses.",
        ),
        (
            r"[Uu]nknown .*runtime|OCI runtime .*not found",
            "`runtime` names what the daemon's configuration lists in `runtimes`: `docker info` shows them.",
        ),
        (
            r"unable to find user",
            "`user` is a number (`1000:1000`), or a name that the image knows.",
        ),
        (
            r"[Mm]inimum memory limit",
            "`memory` has to be larger: `512m`, `4g`, or a number of bytes.",
        ),
    )
)


@contextmanager
def daemon_errors(address: DaemonAddress, *, sandbox: str | None) -> Iterator[None]:
    """`sandbox`: the container that the call is about; when the daemon does not know it, it is gone.

    Raises:
        SandboxNotFound: there is no such container.
        ProviderUnavailable: nothing answers at the address.
        ProviderAuthError: this user may not use the daemon.
        ProviderTimeout: the daemon took too long.
        ProviderError: it refused; the message is its own.
    """
    import docker.errors  # noqa: PLC0415 - the SDK is imported on first use
    import requests.exceptions  # noqa: PLC0415
    import urllib3.exceptions  # noqa: PLC0415

    try:
        yield
    except docker.errors.ImageNotFound as exc:
        raise ProviderError(f"{_said(exc)}.", provider=PROVIDER) from exc
    except docker.errors.NotFound as exc:
        if sandbox is None or "container" not in _said(exc).lower():
            raise ProviderError(f"{_said(exc)}.", provider=PROVIDER) from exc
        raise SandboxNotFound(
            f"There is no Docker sandbox {sandbox[:12]!r} (any more).",
            provider=PROVIDER,
            sandbox=sandbox,
        ) from exc
    except docker.errors.APIError as exc:
        said = _said(exc)
        raise ProviderError(
            f"Docker refused: {said}.{_hint(said)}", provider=PROVIDER, status=exc.status_code
        ) from exc
    except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as exc:
        raise ProviderTimeout(
            f"The Docker daemon at {address} did not answer in time.", provider=PROVIDER
        ) from exc
    except (OSError, urllib3.exceptions.HTTPError, docker.errors.DockerException) as exc:
        # The last is what the SDK raises when it cannot even ask for the daemon's version.
        _raise_connection_failure(address, exc)
    except TypeError as exc:
        if "unexpected keyword argument" not in str(exc):
            raise
        raise InvalidRequest(f"create_options: {exc}", provider=PROVIDER) from exc


def daemon_unavailable(address: DaemonAddress, why: object) -> ProviderUnavailable:
    hint = (
        "Is it running? On Linux `systemctl start docker`; on a Mac or on Windows start Docker Desktop. "
        "Somewhere else: set DOCKER_HOST, or choose a context with `docker context use`."
    )
    return ProviderUnavailable(
        f"The Docker daemon does not answer at {address}: {why}. {hint}", provider=PROVIDER
    )


def _raise_connection_failure(address: DaemonAddress, exc: BaseException) -> NoReturn:
    causes = list(_causes(exc))
    if any(isinstance(cause, PermissionError) for cause in causes):
        raise ProviderAuthError(
            f"This user may not use the Docker daemon at {address}. Add the user to the group `docker`, or "
            "use a rootless daemon.",
            provider=PROVIDER,
        ) from exc
    raise daemon_unavailable(address, _plainest(causes)) from exc


def _causes(exc: BaseException | Any) -> Iterator[BaseException]:
    """The exception and those behind it: the SDK's layers also hide them in each other's arguments."""
    seen: set[int] = set()
    waiting = [exc]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _plainest(causes: list[BaseException]) -> object:
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return causes[0]


def _hint(said: str) -> str:
    """What to do, where Docker's own words do not tell it."""
    return next((f" {hint}" for words, hint in _HINTS if words.search(said)), "")


def _said(exc: Any) -> str:
    return str(exc.explanation or exc).strip().rstrip(".")
