"""One's own repository in a container: whoever owns it, it can be worked in, or a start says what to change."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import ProviderError
from sandbox_agent_core.spi.provider import SandboxRef, SandboxSpec
from sandbox_agent_docker import DockerProvider
from sandbox_agent_docker.daemon import Daemon
from sandbox_agent_docker.daemon_address import find_daemon
from sandbox_agent_docker.machine import ContainerMachine
from support.docker_fixtures import docker_tests
from support.docker_images import program_mounts

pytestmark = [*docker_tests, pytest.mark.usefixtures("docker_environment", "server_image")]

WORK = """
touch /workspace/made && for path in $HOME /opt/agents /var/lib/.sandbox-agent; do
  touch $path/file && rm $path/file || exit 1
done
id -u; id -un; echo $HOME; stat -c %u /workspace/made
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "repository"
    path.mkdir()
    (path / "file").write_text("from outside")
    return path


def owned_by(path: Path, uid: int) -> Path:
    for one in (path, *path.iterdir()):
        os.chown(one, uid, uid)
    return path


@asynccontextmanager
async def made(
    provider: DockerProvider, said: list[str] | None = None
) -> AsyncIterator[ContainerMachine]:
    """The sandbox before a server is put into it, which takes longer and is always the same."""
    spec = SandboxSpec(report=said.append if said is not None else lambda _step: None)
    async with provider._made(spec) as container:
        try:
            yield ContainerMachine(Daemon(find_daemon), container.id)
        finally:
            await provider.destroy(SandboxRef(provider="docker", id=container.id))


async def output(machine: ContainerMachine, script: str) -> list[str]:
    done = await machine.run(script, timeout_s=30)
    assert done.exit_code == 0, done.output
    return done.stdout.split()


@pytest.mark.parametrize(
    ("owner", "options", "name"),
    [
        (1001, {}, "agent-1001"),
        (1001, {"user": "1001:1001"}, "agent-1001"),
        (0, {"user": "0:0"}, "root"),
        (1000, {}, "agent"),
    ],
    ids=["another user", "as oneself", "as root", "the image's own"],
)
async def test_who_owns_the_repository_works_in_it(
    repository: Path, owner: int, options: dict[str, Any], name: str
) -> None:
    provider = DockerProvider(mounts={owned_by(repository, owner): "/workspace"}, **options)
    async with made(provider) as machine:
        assert await output(machine, WORK) == [str(owner), name, "/home/agent", str(owner)]
    assert (repository / "made").stat().st_uid == owner


async def test_a_plain_image_gets_a_home_and_an_account_for_the_owner(
    repository: Path, base_image: str
) -> None:
    said: list[str] = []
    provider = DockerProvider(base_image, mounts={owned_by(repository, 501): "/src"})
    async with made(provider, said) as machine:
        script = "touch /src/made $HOME/x /workspace/x && id -u && id -un && echo $HOME"
        assert await output(machine, script) == ["501", "agent", "/home/agent"]
    assert "running as 501:501, who owns what is mounted" in said


async def test_git_trusts_what_is_mounted_whoever_owns_it(repository: Path) -> None:
    init = await asyncio.create_subprocess_exec("git", "init", "--quiet", repository)
    assert await init.wait() == 0
    mounts = {repository: "/workspace:ro", **program_mounts("git")}
    for options in ({}, {"read_only": True}):
        provider = DockerProvider(mounts=mounts, **options)
        async with made(provider) as machine:
            said = await output(machine, "id -u && cd /workspace && git status --short")
            assert said == ["1000", "??", "file"]


@pytest.mark.parametrize(
    ("owner", "mode", "options", "remedy"),
    [
        (0, 0o755, {}, "user='0:0'"),
        (1001, 0o755, {"user": "1002:1002"}, "user='1001:1001'"),
        (1001, 0o555, {}, "change its mode"),
        (0, 0o755, {"workdir": "/workspace/new/directory"}, "user='0:0'"),
    ],
    ids=["root's", "somebody else's", "its owner may not", "a directory to be made in it"],
)
async def test_a_workspace_that_cannot_be_written_is_refused_with_the_remedy(
    repository: Path,
    docker_client: Any,
    owner: int,
    mode: int,
    options: dict[str, Any],
    remedy: str,
) -> None:
    owned_by(repository, owner).chmod(mode)
    label = {"refused": f"workspace-{owner}-{mode}-{len(options)}"}
    provider = DockerProvider(mounts={repository: "/workspace"}, labels=label, **options)
    with pytest.raises(ProviderError) as caught:
        await provider.create(SandboxSpec())
    assert remedy in caught.value.message
    assert str(repository) in caught.value.message
    filters = {"label": [f"{name}={value}" for name, value in label.items()]}
    assert docker_client.api.containers(all=True, filters=filters) == []


async def test_another_mount_that_cannot_be_written_is_told(
    repository: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    other = tmp_path / "other"
    other.mkdir(mode=0o755)
    mounts = {owned_by(repository, 1001): "/workspace", other: "/other"}
    async with made(DockerProvider(mounts=mounts), said):
        assert any("'/other'" in line and "cannot be written" in line for line in said)


async def test_a_new_volume_is_given_to_who_runs_and_one_that_is_used_tells_who_that_is(
    docker_client: Any, tmp_path: Path
) -> None:
    volume = f"work-{tmp_path.name}"
    mounts = {volume: "/workspace", f"{volume}-cache": "/cache"}
    touch = "touch /workspace/file /cache/file $HOME/file && id -u"
    try:
        async with made(DockerProvider(mounts=mounts, user="1001:1001")) as machine:
            assert await output(machine, touch) == ["1001"]
        async with made(DockerProvider(mounts=mounts)) as machine:
            assert await output(machine, touch) == ["1001"]
    finally:
        for name in (volume, f"{volume}-cache"):
            docker_client.api.remove_volume(name)


async def test_what_is_mounted_below_a_directory_leaves_that_writable(tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    settings.mkdir()
    mounts = {owned_by(settings, 1001): "/home/agent/.deep/settings"}
    async with made(DockerProvider(mounts=mounts)) as machine:
        assert await output(machine, "touch $HOME/x $HOME/.deep/settings/x && id -u") == ["1001"]
