"""Agents that are Python programs: their environment, their launcher, and the Python that runs them."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from sandbox_agent_core.errors import AgentNotInstallable, InstallFailed, PythonMissing
from sandbox_agent_server.agents.installation import installed_version
from sandbox_agent_server.install import python_install
from sandbox_agent_server.install.installer import Installer
from sandbox_agent_server.install.pins import find_pin
from sandbox_agent_server.install.python_install import find_python

PIN = find_pin("fast-agent")
MODULE = """\
import sys

def main():
    print("started", sys.argv[0], *sys.argv[1:])
    return 0
"""


@pytest.fixture(autouse=True)
def new_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent is content with the Python that runs the tests."""
    monkeypatch.setattr(python_install, "OWN_VERSION", (3, 99))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Packages come from a directory, whether uv or pip installs."""
    packages = tmp_path / "packages"
    publish(packages, PIN.package, PIN.version, {"fast-agent": "the_agent:main"})
    cache = str(tmp_path / "cache")
    return {
        "HOME": str(tmp_path),
        "PATH": os.defpath,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(packages),
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(packages),
        "UV_CACHE_DIR": cache,
        "PIP_CACHE_DIR": cache,
    }


def publish(directory: Path, name: str, version: str, scripts: Mapping[str, str]) -> None:
    """A wheel as small as one can be."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    entry_points = "".join(f"{script} = {target}\n" for script, target in scripts.items())
    files = {
        "the_agent.py": MODULE,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{entry_points}",
    }
    record = [f"{path},{_digest(text)},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    directory.mkdir(exist_ok=True)
    with zipfile.ZipFile(directory / f"{stem}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


def _digest(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"sha256={digest.rstrip('=')}"


def test_a_python_program_is_installed_into_an_environment_of_its_own_and_starts(
    make_installer: Callable[..., Installer], environ: dict[str, str], tmp_path: Path
) -> None:
    installer = make_installer(environ=environ)

    done = installer.install("fast-agent")
    again = installer.install("fast-agent")

    program = installer.agents_dir.bin / "fast-agent"
    started = subprocess.run(
        [program, "acp"], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60
    )
    assert started.stdout.split() == ["started", "fast-agent", "acp"]
    assert started.returncode == 0
    assert installed_version(str(program)) == PIN.version
    assert not done.already
    assert again.already


def test_a_version_that_there_is_not_leaves_nothing(
    make_installer: Callable[..., Installer], environ: dict[str, str]
) -> None:
    installer = make_installer(environ=environ)

    with pytest.raises(InstallFailed, match="fast-agent-mcp==9"):
        installer.install("fast-agent", version="9")

    assert installer.agents_dir.versions("fast-agent") == []
    assert not installer.agents_dir.bin.exists()


def test_a_package_without_the_program_is_refused(
    make_installer: Callable[..., Installer], environ: dict[str, str], tmp_path: Path
) -> None:
    publish(tmp_path / "packages", PIN.package, "2", {"other": "the_agent:main"})

    with pytest.raises(InstallFailed, match="no program 'fast-agent'"):
        make_installer(environ=environ).install("fast-agent", version="2")


def test_what_is_newest_is_not_known(installer: Installer) -> None:
    with pytest.raises(AgentNotInstallable, match="PyPI"):
        installer.install("fast-agent", version="latest")


def test_the_python_of_the_server_is_used_when_it_is_new_enough() -> None:
    assert find_python({}, agent="a", at_least="3.11") == Path(sys.executable)


def test_another_python_is_found_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python_install, "OWN_VERSION", (3, 10))
    for name, said in (("python3.15", "command not found"), ("python3.14", "3 14")):
        program = tmp_path / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\necho {said}\n", encoding="utf-8")
        program.chmod(0o755)
    env = {"HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}

    found = find_python(env, agent="a", at_least="3.12")

    assert found == tmp_path / "bin" / "python3.14"


def test_without_a_python_that_is_new_enough_nothing_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python_install, "OWN_VERSION", (3, 10))
    nowhere = {"HOME": str(tmp_path), "PATH": str(tmp_path), "UV_PYTHON_PREFERENCE": "only-managed"}

    with pytest.raises(PythonMissing, match=r"needs Python 9\.1 .* runs with 3\.10"):
        find_python(nowhere, agent="a", at_least="9.1")
