"""Each package is built as a wheel and works installed alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(
    path.parent.name.removeprefix("sandbox-agent-")
    for path in (ROOT / "packages").glob("*/pyproject.toml")
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("wheels")
    for name in PACKAGES:
        package = ROOT / "packages" / f"sandbox-agent-{name}"
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, package)
    return {name: next(out.glob(f"sandbox_agent_{name}-*.whl")) for name in PACKAGES}


def install(where: Path, *wheels: Path) -> Path:
    """A fresh environment with these wheels; its `bin`."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    python = where / "bin" / "python"
    run(sys.executable, "-m", "venv", *(["--without-pip"] if uv else []), where)
    if uv:
        run(uv, "pip", "install", "--quiet", "--python", python, *wheels)
    else:
        run(python, "-m", "pip", "install", "--quiet", *wheels)
    return where / "bin"


@pytest.mark.parametrize("name", PACKAGES)
def test_a_wheel_has_the_licence_and_the_typing_marker(wheels: dict[str, Path], name: str) -> None:
    files = zipfile.ZipFile(wheels[name]).namelist()
    assert f"sandbox_agent_{name}/py.typed" in files
    assert any(file.endswith("/licenses/LICENSE") for file in files)
    assert not any("test" in Path(file).parts for file in files)


def test_the_client_alone_connects_to_a_server(
    wheels: dict[str, Path], tmp_path: Path, server_url: str
) -> None:
    bin_dir = install(tmp_path / "venv", wheels["core"], wheels["client"])
    code = f"""
import asyncio, importlib.util
from sandbox_agent_client import SandboxAgent
assert importlib.util.find_spec("sandbox_agent_server") is None
async def main():
    async with SandboxAgent.connect(base_url={server_url!r}) as client:
        print((await client.health()).status)
asyncio.run(main())
"""
    assert run(bin_dir / "python", "-c", code).strip() == "ok"
    assert "run" in run(bin_dir / "sandbox-agent", "--help")


def test_the_server_alone_serves(wheels: dict[str, Path], tmp_path: Path) -> None:
    bin_dir = install(tmp_path / "venv", wheels["core"], wheels["server"])
    assert "--data-dir" in run(bin_dir / "sandbox-agent-server", "--help")
    code = f"""
import importlib.util, json, subprocess, sys, time, urllib.request, pathlib
assert importlib.util.find_spec("sandbox_agent_client") is None
ready = pathlib.Path({str(tmp_path / "ready")!r})
server = subprocess.Popen(
    [{str(bin_dir / "sandbox-agent-server")!r}, "--port", "0", "--no-token",
     "--data-dir", {str(tmp_path / "data")!r}, "--ready-file", str(ready)],
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for _ in range(1200):
        if ready.exists():
            break
        time.sleep(0.05)
    url = json.loads(ready.read_text())["url"]
    body = json.dumps({{"agent": "mock"}}).encode()
    request = urllib.request.Request(
        url + "/v1/sessions", body, {{"content-type": "application/json"}})
    print(json.loads(urllib.request.urlopen(request).read())["status"])
finally:
    server.terminate()
    server.wait(10)
"""
    assert run(bin_dir / "python", "-c", code).strip() == "idle"


def test_a_server_with_the_inspector_serves_it(wheels: dict[str, Path], tmp_path: Path) -> None:
    bin_dir = install(tmp_path / "venv", wheels["core"], wheels["server"], wheels["inspector"])
    code = f"""
import json, pathlib, re, subprocess, time, urllib.request
ready = pathlib.Path({str(tmp_path / "ready")!r})
server = subprocess.Popen(
    [{str(bin_dir / "sandbox-agent-server")!r}, "--port", "0",
     "--data-dir", {str(tmp_path / "data")!r}, "--ready-file", str(ready)],
    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={{"PATH": ""}})
try:
    for _ in range(1200):
        if ready.exists():
            break
        time.sleep(0.05)
    url = json.loads(ready.read_text())["url"]
    page = urllib.request.urlopen(url + "/ui/").read().decode()
    script = re.search(r'src="(/ui/assets/[^"]+[.]js)"', page)[1]
    print(len(urllib.request.urlopen(url + script).read()) > 10_000)
finally:
    server.terminate()
    said = server.communicate(timeout=10)[0]
print(url + "/ui/#token=" in said)
"""
    assert run(bin_dir / "python", "-c", code).split() == ["True", "True"]


def test_a_wheel_of_the_inspector_from_its_sdist_needs_no_node(tmp_path: Path) -> None:
    inspector = ROOT / "packages" / "sandbox-agent-inspector"
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path)]
    run(*command, "--sdist", inspector)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
        names = archive.getnames()
    assert not any("node_modules" in name for name in names)
    for source in ("app/src/main.tsx", "react/src/index.ts", "client/src/index.ts"):
        assert any(name.endswith(f"/web/{source}") for name in names)
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    done = subprocess.run(
        [*command, "--wheel", str(unpacked)],
        capture_output=True, text=True, timeout=240, env={"PATH": "", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert "sandbox_agent_inspector/static/index.html" in zipfile.ZipFile(wheel).namelist()


def test_the_docker_provider_brings_its_files_and_works_beside_the_client(
    wheels: dict[str, Path], tmp_path: Path
) -> None:
    bin_dir = install(tmp_path / "venv", wheels["core"], wheels["client"], wheels["docker"])
    assert "FROM" in run(bin_dir / "sandbox-agent", "image", "dockerfile")
    code = """
from sandbox_agent_client.sandboxes.plugins import find_provider
print(type(find_provider("docker", {"memory": "1g"})).__name__)
"""
    assert run(bin_dir / "python", "-c", code).strip() == "DockerProvider"
