"""Wheels packed from what is installed, and directories of them."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path

import pytest
from sandbox_agent_client import errors
from sandbox_agent_client.cli.main import app
from sandbox_agent_client.sandboxes import wheelhouse, wheels
from sandbox_agent_client.sandboxes.wheelhouse import default_platforms, load_wheelhouse
from sandbox_agent_client.sandboxes.wheels import inspector_wheels, server_wheels, wheel_of
from sandbox_agent_inspector import STATIC
from support.optional import skip_without
from typer.testing import CliRunner


def names(content: bytes) -> set[str]:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert archive.testzip() is None
        return set(archive.namelist())


def test_the_server_and_core_are_packed_as_installed() -> None:
    core, server = server_wheels()
    version = distribution("sandbox-agent-server").version
    assert core.filename == f"sandbox_agent_core-{version}-py3-none-any.whl"
    assert server.filename == f"sandbox_agent_server-{version}-py3-none-any.whl"
    packed = names(server.content)
    info = f"sandbox_agent_server-{version}.dist-info"
    assert {"sandbox_agent_server/cli/main.py", "sandbox_agent_server/py.typed"} <= packed
    assert {
        f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")
    } <= packed
    assert not [name for name in packed if "__pycache__" in name or name.startswith("/")]


def test_the_inspector_is_packed_when_it_is_built_here() -> None:
    if not (STATIC / "index.html").is_file():
        assert inspector_wheels() == ()
        skip_without("the Inspector is not built: make inspector")
    (inspector,) = inspector_wheels()
    assert inspector.filename.startswith("sandbox_agent_inspector-")
    assert "sandbox_agent_inspector/serving.py" in names(inspector.content)


def test_the_same_files_give_the_same_bytes() -> None:
    installed = distribution("sandbox-agent-core")
    assert wheel_of(installed).content == wheel_of(installed).content
    assert server_wheels() is server_wheels()


def test_pip_installs_them_and_finds_nothing_wrong(tmp_path: Path) -> None:
    for wheel in server_wheels():
        (tmp_path / wheel.filename).write_bytes(wheel.content)
    target = tmp_path / "target"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
            *("--disable-pip-version-check", "--target", str(target)),
            *(str(path) for path in tmp_path.glob("*.whl")),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert (target / "bin" / "sandbox-agent-server").exists()
    assert (target / "sandbox_agent_core" / "spi" / "provider.py").read_bytes() == (
        Path(wheels.find_spec("sandbox_agent_core").origin).parent / "spi" / "provider.py"  # type: ignore[union-attr,arg-type]
    ).read_bytes()


def test_without_the_server_there_is_nothing_to_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise wheels.PackageNotFoundError(name)

    monkeypatch.setattr(wheels, "distribution", missing)
    assert server_wheels.__wrapped__() == ()
    monkeypatch.setattr(wheelhouse, "server_wheels", lambda: ())
    with pytest.raises(errors.ProviderError, match="pip install sandbox-agent-server"):
        wheelhouse.build_wheelhouse(Path("unused"), python="3.11", platforms=[])


def test_a_wheelhouse_is_built_for_another_python_and_processor(tmp_path: Path) -> None:
    directory = tmp_path / "house"
    arguments = ["--python", "3.12", "--platform", "manylinux_2_28_aarch64"]
    arguments += ["--platform", "manylinux_2_17_aarch64"]
    done = CliRunner().invoke(app, ["wheelhouse", "build", str(directory), *arguments])
    assert done.exit_code == 0, done.output
    files = [wheel.filename for wheel in load_wheelhouse(directory)]
    assert {wheel.filename for wheel in server_wheels()} <= set(files)
    (orjson,) = [name for name in files if name.startswith("orjson-")]
    assert "cp312" in orjson
    assert "aarch64" in orjson
    assert [name for name in files if name.startswith("pip-")]
    assert f"{len(files)} files" in done.stdout


def test_what_pip_cannot_find_is_an_error(tmp_path: Path) -> None:
    arguments = ["--python", "3.12", "--platform", "no_such_platform"]
    done = CliRunner().invoke(app, ["wheelhouse", "build", str(tmp_path), *arguments])
    assert done.exit_code == 5
    assert "pip could not download" in done.stderr


def test_a_directory_without_wheels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidRequest, match="no wheels"):
        load_wheelhouse(tmp_path)
    with pytest.raises(errors.InvalidRequest, match="no wheels"):
        load_wheelhouse(tmp_path / "missing")
    (tmp_path / "a-1-py3-none-any.whl").write_bytes(b"w")
    (tmp_path / "cpython-3.12-install_only.tar.gz").write_bytes(b"p")
    (tmp_path / "notes.txt").write_text("no")
    assert [file.filename for file in load_wheelhouse(tmp_path)] == [
        "a-1-py3-none-any.whl",
        "cpython-3.12-install_only.tar.gz",
    ]


def test_the_default_platform_is_linux_on_this_processor() -> None:
    assert default_platforms("arm64") == ["manylinux_2_28_aarch64", "manylinux_2_17_aarch64"]
    assert default_platforms("x86_64")[0] == "manylinux_2_28_x86_64"
