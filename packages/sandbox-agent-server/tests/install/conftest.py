"""A registry with a small agent in it, and an installer that knows no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sandbox_agent_server.install.agents_dir import AgentsDir
from sandbox_agent_server.install.installer import Installer
from sandbox_agent_server.install.pins import find_pin
from sandbox_agent_server.runtime.platforms import this_platform
from support.npm_registry import NpmRegistry

MAX_BYTES = 64 * 1024 * 1024


@pytest.fixture
def registry() -> Iterator[NpmRegistry]:
    with NpmRegistry() as running:
        yield running


@pytest.fixture
def environ(registry: NpmRegistry, tmp_path: Path) -> dict[str, str]:
    """Of a user whose npm configuration names the registry; nothing of this machine's."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".npmrc").write_text(f"registry={registry.url}\n", encoding="utf-8")
    return {"HOME": str(home), "PATH": "/usr/bin:/bin"}


@pytest.fixture
def make_installer(tmp_path: Path, environ: dict[str, str]) -> Callable[..., Installer]:
    def make(**options: object) -> Installer:
        given = {"environ": environ, "max_bytes": MAX_BYTES, **options}
        return Installer(AgentsDir(tmp_path / "agents"), **given)  # type: ignore[arg-type]

    return make


@pytest.fixture
def installer(make_installer: Callable[..., Installer]) -> Installer:
    return make_installer()


@pytest.fixture
def publish_claude(registry: NpmRegistry) -> Callable[..., None]:
    """`publish_claude("1.2.3")`: a program that prints its version, as the packages for this platform hold it."""

    def publish(version: str = find_pin("claude").version, **options: object) -> None:
        package = find_pin("claude").package_for(this_platform(), version)
        program = f"#!/bin/sh\necho claude {version}\n".encode()
        files = {"claude*": program}
        registry.publish(package.name, package.version, files, **options)  # type: ignore[arg-type]
        registry.publish(find_pin("claude").package, version, {})

    return publish
