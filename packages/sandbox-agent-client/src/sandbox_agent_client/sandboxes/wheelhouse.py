"""A directory with everything that a server needs, for sandboxes without network."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox_agent_core.errors import InvalidRequest, ProviderError
from sandbox_agent_core.installed_from import pip_install
from sandbox_agent_core.spi.provider import Wheel

from sandbox_agent_client.sandboxes.wheels import inspector_wheels, server_wheels

__all__ = ["build_wheelhouse", "default_platforms", "load_wheelhouse"]

DOWNLOAD_TIMEOUT_S = 600.0
FILES = ("*.whl", "cpython-*.tar.gz")
"""Wheels, and standalone builds of Python for images that have none."""


def load_wheelhouse(directory: Path) -> Sequence[Wheel]:
    """Its files.

    Raises:
        InvalidRequest: it is no directory, or has no wheels.
    """
    paths = sorted(path for pattern in FILES for path in directory.glob(pattern))
    if not any(path.suffix == ".whl" for path in paths):
        raise InvalidRequest(
            f"{str(directory)!r} is no wheelhouse: it has no wheels. Run `sandbox-agent wheelhouse build "
            f"{directory}`."
        )
    return [Wheel(filename=path.name, content=path.read_bytes()) for path in paths]


def default_platforms(machine: str | None = None) -> list[str]:
    """Tags of Linux with glibc on this machine's processor, newest first."""
    processor = {"arm64": "aarch64", "AMD64": "x86_64"}.get(
        found := machine or platform.machine(), found
    )
    return [f"manylinux_2_{minor}_{processor}" for minor in (28, 17)]


def build_wheelhouse(directory: Path, *, python: str, platforms: Sequence[str]) -> list[Path]:
    """Write our wheels, those they need for that Python (`3.12`) and platform, and pip's; its files now.

    The user's own pip configuration says where they come from. Files that are there stay: call it again
    with another Python to serve both.

    Raises:
        ProviderError: the server is not installed here, there is no pip, or pip failed.
    """
    own = server_wheels()
    if not own:
        raise ProviderError(
            "A wheelhouse holds the server as installed here, and it is not. "
            f"Run `{pip_install('sandbox-agent-server')}`."
        )
    directory.mkdir(parents=True, exist_ok=True)
    own = (*own, *inspector_wheels())
    for wheel in own:
        (directory / wheel.filename).write_bytes(wheel.content)
    command = [
        *_pip(),
        *("download", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--dest", str(directory), "--find-links", str(directory), "--only-binary", ":all:"),
        *("--python-version", python, "--implementation", "cp"),
        *(argument for tag in platforms for argument in ("--platform", tag)),
        "pip",
        *(str(directory / wheel.filename) for wheel in own),
    ]
    try:
        done = subprocess.run(  # noqa: S603 - pip with arguments of ours
            command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise ProviderError(f"pip did not finish within {DOWNLOAD_TIMEOUT_S:g} s.") from exc
    if done.returncode != 0:
        raise ProviderError(
            f"pip could not download what the server needs.\n{done.stderr.strip()}",
            exitCode=done.returncode,
        )
    return sorted(path for pattern in FILES for path in directory.glob(pattern))


def _pip() -> list[str]:
    probe = subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, check=False
    )
    if probe.returncode == 0:
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        if found := shutil.which(name):
            return [found]
    raise ProviderError("Building a wheelhouse needs pip, and there is none here.")
