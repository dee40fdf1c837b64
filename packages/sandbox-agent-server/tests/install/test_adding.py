"""Agents of registry files: asked about, installed, listed, removed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import (
    AgentNotInstallable,
    InstallFailed,
    InstallForbidden,
    IntegrityMismatch,
    UnsupportedAgent,
)
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.cli.adding import run_agents_command
from sandbox_agent_server.install.adding import AgentAdder
from sandbox_agent_server.install.archives import unpack_archive
from sandbox_agent_server.install.installer import Installer
from support.npm_registry import NpmRegistry
from support.optional import skip_without

PLATFORMS = ("linux-x86_64", "linux-aarch64", "darwin-x86_64", "darwin-aarch64")
MOCK = f'#!/bin/sh\nexec "{sys.executable}" -m sandbox_agent_server.agents.mock --plain "$@"\n'


@pytest.fixture
def adder(installer: Installer) -> AgentAdder:
    return AgentAdder(installer, taken=Catalog().names())


def tar_of(path: Path, files: dict[str, str]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content.encode()))
    return path


def zip_of(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return path


def describe(path: Path, archive: Path, *, cmd: str = "./bin/mine", **changes: Any) -> Path:
    """A registry file with a binary for whatever this machine is."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    binary = {"archive": archive.as_uri(), "cmd": cmd, "sha256": digest, **changes}
    entry = {
        "id": "mine",
        "name": "My Agent",
        "version": "1.0.0",
        "distribution": {"binary": dict.fromkeys(PLATFORMS, binary)},
    }
    path.write_text(json.dumps(entry), encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    archive = tar_of(tmp_path / "mine.tar.gz", {"bin/mine": MOCK})
    return describe(tmp_path / "agent.json", archive, env={"MINE": "yes"})


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_an_archive_is_unpacked_and_its_program_started(
    adder: AgentAdder, tmp_path: Path, pack: Callable[..., Path]
) -> None:
    file = describe(
        tmp_path / "agent.json", pack(tmp_path / "packed", {"bin/mine": MOCK}), args=["x"]
    )

    adder.add(adder.look_up(str(file)))

    agent, command = adder.added.commands()["mine"]
    assert agent.title == "My Agent"
    assert command[1:] == ("x",)
    assert Path(command[0]).read_text(encoding="utf-8") == MOCK
    assert os.access(command[0], os.X_OK)


def test_what_is_no_archive_is_the_program(adder: AgentAdder, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(MOCK, encoding="utf-8")

    adder.add(adder.look_up(str(describe(tmp_path / "agent.json", program))))

    assert Path(adder.added.commands()["mine"][1][0]).read_text(encoding="utf-8") == MOCK


def test_the_catalogue_has_it_until_it_is_removed(adder: AgentAdder, file: Path) -> None:
    catalog = Catalog(plugins=list, added=adder.added.commands)
    adder.add(adder.look_up(str(file)))

    assert "mine" in catalog.names()
    definition = catalog.get("mine")
    found = definition.find({})
    assert found is not None
    assert definition.title == "My Agent"

    adder.remove("mine")

    assert "mine" not in catalog.names()
    assert not Path(found.path).exists()
    with pytest.raises(UnsupportedAgent):
        catalog.get("mine")
    with pytest.raises(UnsupportedAgent, match="none"):
        adder.remove("mine")


def test_a_file_that_is_damaged_hides_no_other(adder: AgentAdder, file: Path) -> None:
    adder.add(adder.look_up(str(file)))
    folder = adder.added._folder
    for name, content in {"broken": "{", "other": '{"id": "other"}', "list": "[]"}.items():
        (folder / f"{name}.json").write_text(content, encoding="utf-8")

    assert list(adder.added.read()) == ["mine"]


@pytest.mark.parametrize("name", ["claude", "mock", "kimi"])
def test_the_name_of_another_agent_is_refused(adder: AgentAdder, file: Path, name: str) -> None:
    entry = json.loads(file.read_text(encoding="utf-8")) | {"id": name}
    file.write_text(json.dumps(entry), encoding="utf-8")

    with pytest.raises(AgentNotInstallable, match=name):
        adder.look_up(str(file))


def test_of_several_one_must_be_named(adder: AgentAdder, file: Path) -> None:
    entry = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({"agents": [entry, entry | {"id": "second"}]}), encoding="utf-8")

    with pytest.raises(AgentNotInstallable, match="mine, second"):
        adder.look_up(str(file))
    assert adder.look_up(str(file), agent="second").entry.id == "second"


def test_another_program_than_was_announced_is_not_installed(
    adder: AgentAdder, file: Path, tmp_path: Path
) -> None:
    proposal = adder.look_up(str(file))
    tar_of(tmp_path / "mine.tar.gz", {"bin/mine": "#!/bin/sh\nevil\n"})

    with pytest.raises(IntegrityMismatch):
        adder.add(proposal)

    assert adder.added.read() == {}
    assert adder._installer.agents_dir.versions("mine") == []


def test_an_archive_without_the_program_is_refused(adder: AgentAdder, tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a.tgz", {"bin/other": MOCK})
    with pytest.raises(InstallFailed, match="bin/mine"):
        adder.add(adder.look_up(str(describe(tmp_path / "agent.json", archive))))


def test_a_package_of_npm_is_installed_by_its_registry_and_never_by_npx(
    make_installer: Callable[..., Installer],
    environ: dict[str, str],
    registry: NpmRegistry,
    tmp_path: Path,
) -> None:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        skip_without("there is no Node.js with npm here")
    program = b"#!/usr/bin/env node\nconsole.log(process.argv.slice(2).join())\n"
    registry.publish(
        "@them/tool", "3.1.4", {"cli.js": program}, manifest={"bin": {"tool": "./cli.js"}}
    )
    npx = {"package": "@them/tool@3.1.4", "args": ["--acp"]}
    entry = {"id": "theirs", "name": "T", "version": "1", "distribution": {"npx": npx}}
    file = tmp_path / "agent.json"
    file.write_text(json.dumps(entry), encoding="utf-8")
    with_node = {**environ, "PATH": f"{Path(node).parent}:{environ['PATH']}"}
    adder = AgentAdder(make_installer(environ=with_node), taken=())

    added = adder.add(adder.look_up(str(file)))

    assert (added.version, added.args) == ("3.1.4", ("--acp",))
    launcher = Path(adder.added.commands()["theirs"][1][0])
    assert "cli.js" in launcher.read_text(encoding="utf-8")


def test_where_nothing_may_come_from_the_network_no_package_is_added(
    make_installer: Callable[..., Installer], tmp_path: Path
) -> None:
    entry = {"id": "a", "name": "A", "version": "1", "distribution": {"npx": {"package": "a"}}}
    file = tmp_path / "agent.json"
    file.write_text(json.dumps(entry), encoding="utf-8")
    adder = AgentAdder(make_installer(may_use_network=False), taken=())

    with pytest.raises(InstallForbidden):
        adder.add(adder.look_up(str(file)))


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "a\\..\\out"])
@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_an_archive_that_leads_outside_is_refused(
    tmp_path: Path, name: str, pack: Callable[..., Path]
) -> None:
    archive, target = pack(tmp_path / "packed", {name: "x"}), tmp_path / "target"
    target.mkdir()

    with pytest.raises(InstallFailed, match="outside"):
        unpack_archive(archive, target, max_bytes=100)

    assert list(target.iterdir()) == []


def test_an_archive_with_links_or_too_much_is_refused(tmp_path: Path) -> None:
    linked, target = tmp_path / "linked", tmp_path / "target"
    target.mkdir()
    with tarfile.open(linked, "w") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)

    with pytest.raises(InstallFailed, match="no file"):
        unpack_archive(linked, target, max_bytes=100)
    for pack in (tar_of, zip_of):
        with pytest.raises(InstallFailed, match="more than 100 bytes"):
            unpack_archive(
                pack(tmp_path / "big", {pack.__name__: "x" * 101}), target, max_bytes=100
            )
    (tmp_path / "junk").write_bytes(b"junk")
    with pytest.raises(InstallFailed):
        unpack_archive(tmp_path / "junk", target, max_bytes=100)


def test_the_command_shows_what_will_run_and_adds_nothing_unasked(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--agents-dir", str(tmp_path / "agents")]
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    assert run_agents_command(["add", str(file), *where]) == 2
    shown = capsys.readouterr()
    assert "runs      bin/mine" in shown.out
    assert "MINE=yes" in shown.out
    assert "--yes" in shown.err
    assert run_agents_command(["list", *where]) == 0
    assert capsys.readouterr().out == ""

    assert run_agents_command(["add", str(file), "--yes", *where]) == 0
    assert run_agents_command(["list", *where]) == 0
    assert "mine 1.0.0  My Agent" in capsys.readouterr().out
    assert run_agents_command(["remove", "mine", *where]) == 0
    assert run_agents_command(["remove", "mine", *where]) == 1
    assert run_agents_command(["add", str(tmp_path / "not-there"), "--yes", *where]) == 1
