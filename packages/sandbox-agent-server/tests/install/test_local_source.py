"""Agents from a directory: no registry, no network, nothing but files."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_agent_core.errors import InstallFailed
from sandbox_agent_server.install.agents_dir import AgentsDir
from sandbox_agent_server.install.installer import Installer
from sandbox_agent_server.install.pins import find_pin
from sandbox_agent_server.runtime.platforms import this_platform
from support.npm_registry import archive_of

MakeInstaller = Callable[..., Installer]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    directory.mkdir()
    return directory


@pytest.fixture
def offline(make_installer: MakeInstaller, source: Path) -> Installer:
    """One that has no network, no Node.js and no npm configuration."""
    return make_installer(source=source, may_use_network=False, environ={"PATH": "/nowhere"})


def pack(source: Path, agent: str, version: str, *, name: str | None = None) -> Path:
    """As `npm pack` names and fills it; a `name` other than its own is a lie."""
    package = find_pin(agent).package_for(this_platform(), version)
    described = {"name": name or package.name, "version": package.version}
    program = package.path.replace("*", "any")
    archive = archive_of(
        {
            "package.json": json.dumps(described).encode(),
            f"{program}*": f"#!/bin/sh\necho {agent} {version}\n".encode(),
        }
    )
    flat = package.name.removeprefix("@").replace("/", "-")
    path = source / f"{flat}-{package.version}.tgz"
    path.write_bytes(archive)
    return path


def says(installer: Installer, program: str) -> str:
    done = subprocess.run(
        [installer.agents_dir.bin / program], capture_output=True, text=True, timeout=10
    )
    return done.stdout.strip()


@pytest.mark.parametrize("agent", ["claude", "codex", "opencode"])
def test_an_archive_of_npm_pack_is_installed(offline: Installer, source: Path, agent: str) -> None:
    pack(source, agent, find_pin(agent).version)
    done = offline.install(agent)
    assert done.version.source == "local_path"
    assert says(offline, agent) == f"{agent} {find_pin(agent).version}"
    assert list(source.glob("*.tgz"))


@pytest.mark.parametrize("agent", ["claude", "codex"])
def test_the_newest_is_taken_when_the_tested_one_is_not_there(
    offline: Installer, source: Path, agent: str
) -> None:
    pack(source, agent, "1.9.0")
    pack(source, agent, "1.10.0")
    assert offline.install(agent).version.version == "1.10.0"
    pack(source, agent, find_pin(agent).version)
    assert offline.install(agent).version.version == find_pin(agent).version
    assert offline.install(agent, version="1.9.0").version.version == "1.9.0"


def test_an_agents_directory_of_another_machine_is_copied(
    offline: Installer, make_installer: MakeInstaller, source: Path, tmp_path: Path
) -> None:
    pack(source, "claude", "1.0.0")
    elsewhere = Installer(
        AgentsDir(tmp_path / "elsewhere"), environ={}, source=source, max_bytes=10**6
    )
    elsewhere.install("claude")
    copied = make_installer(
        source=tmp_path / "elsewhere", may_use_network=False, environ={"PATH": "/nowhere"}
    )
    assert copied.install("claude").version.version == "1.0.0"
    shutil.rmtree(tmp_path / "elsewhere")
    assert says(copied, "claude") == "claude 1.0.0"


def test_what_is_missing_is_named_with_the_command_that_makes_it(
    offline: Installer, source: Path
) -> None:
    with pytest.raises(InstallFailed, match="npm pack @anthropic-ai/claude-code"):
        offline.install("claude")
    with pytest.raises(InstallFailed, match="--agents-dir"):
        offline.install("pi")
    pack(source, "claude", "1.0.0")
    with pytest.raises(InstallFailed, match=r"2\.0\.0"):
        offline.install("claude", version="2.0.0")


def test_an_archive_that_is_not_what_its_name_says_is_refused(
    offline: Installer, source: Path
) -> None:
    pack(source, "claude", "1.0.0", name="something-else")
    with pytest.raises(InstallFailed, match=r"something-else@1\.0\.0"):
        offline.install("claude")
    assert offline.agents_dir.versions("claude") == []


def test_no_directory_is_an_error(make_installer: MakeInstaller, tmp_path: Path) -> None:
    with pytest.raises(InstallFailed, match="no directory"):
        make_installer(source=tmp_path / "gone").install("claude")
