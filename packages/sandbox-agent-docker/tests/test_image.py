"""Building and pulling images."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from docker.errors import ImageNotFound
from sandbox_agent_client import SandboxAgent
from sandbox_agent_client.sandboxes.wheels import server_wheels, write_wheel
from sandbox_agent_core.errors import InvalidRequest, ProviderError
from sandbox_agent_core.ids import new_id
from sandbox_agent_core.provisioning.image_recipe import server_requirements
from sandbox_agent_core.spi.provider import Wheel
from sandbox_agent_docker import DockerProvider, build_image
from sandbox_agent_docker.image.build import dockerfile
from sandbox_agent_docker.image.built import stale_warning
from support.docker_fixtures import docker_tests
from support.wheelhouse import installed_wheelhouse

pytestmark = [*docker_tests, pytest.mark.usefixtures("docker_environment")]


def test_the_server_comes_from_wheels_or_from_the_index() -> None:
    own = [
        Wheel(f"sandbox_agent_{name}-9.9.9-py3-none-any.whl", b"") for name in ("core", "server")
    ]
    assert server_requirements(own, [], node=True, directory="/wheels").needed == [
        "/wheels/sandbox_agent_core-9.9.9-py3-none-any.whl",
        "/wheels/sandbox_agent_server-9.9.9-py3-none-any.whl[node]",
    ]
    inspector = Wheel("sandbox_agent_inspector-9.9.9-py3-none-any.whl", b"")
    beside = server_requirements(own, [], inspector=[inspector], node=False, directory="/w")
    assert beside.needed == [
        "/w/sandbox_agent_core-9.9.9-py3-none-any.whl",
        "/w/sandbox_agent_inspector-9.9.9-py3-none-any.whl",
        "/w/sandbox_agent_server-9.9.9-py3-none-any.whl",
    ]
    from_index = server_requirements([], [], inspector=(), node=False, directory="/wheels")
    assert [each.partition("~=")[0] for each in (*from_index.needed, *from_index.optional)] == [
        "sandbox-agent-server",
        "sandbox-agent-inspector",
    ]
    without = server_requirements([], [], inspector=None, node=False, directory="/wheels")
    assert not without.optional


async def test_the_command_builds_an_image_that_runs_the_mock_agent(
    base_image: str, docker_client: Any, tmp_path: Path
) -> None:
    for wheel in installed_wheelhouse():
        (tmp_path / wheel.filename).write_bytes(wheel.content)
    tag = "sandbox-agent-tests:built"
    build = (
        "build",
        "--tag",
        tag,
        "--base",
        base_image,
        "--packages",
        "",
        "--wheelhouse",
        tmp_path,
    )
    done = image_command(*build)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == tag
    assert "built in" in done.stderr
    again = image_command(*build)
    assert (again.stdout.strip(), "nothing has changed" in again.stderr) == (tag, True)
    assert tag in image_command("list", "--provider", "docker").stdout
    config = docker_client.api.inspect_image(tag)["Config"]
    assert config["User"] == "agent"
    assert config["WorkingDir"] == "/workspace"
    async with SandboxAgent.start(DockerProvider(tag, pull="never")) as client:
        session = await client.create_session("mock")
        assert (await session.prompt("text hello")).stop_reason == "end_turn"
    assert image_command("remove", tag, base_image).returncode == 5, "the base is not ours"
    with pytest.raises(ImageNotFound):
        docker_client.api.inspect_image(tag)
    assert docker_client.api.inspect_image(base_image)


def image_command(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("sandbox-agent")
    return subprocess.run(
        [program, "image", *argv], capture_output=True, text=True, timeout=200, env=dict(os.environ)
    )


async def test_an_argument_that_the_dockerfile_does_not_have_is_refused(base_image: str) -> None:
    with pytest.raises(InvalidRequest, match="NPM_CONFIG_REGISTRY"):
        await build_image(
            "x", base=base_image, from_index=True, build_args={"NPM_REGISTRY": "http://x"}
        )


async def test_an_image_with_other_code_than_is_installed_here_is_told_of(
    server_image: str, docker_client: Any
) -> None:
    steps: list[str] = []
    async with SandboxAgent.start("docker", pull="never", report=steps.append):
        pass
    assert not any("renews it" in step for step in steps)
    labels = dict(docker_client.api.inspect_image(server_image)["Config"]["Labels"])
    assert stale_warning(labels, server_wheels()) is None
    changed = write_wheel("sandbox_agent_core", "9.9", {"sandbox_agent_core/x.py": b"1"}, {})
    assert "renews it" in str(stale_warning(labels, [changed]))


async def test_a_build_that_fails_ends_with_its_output(base_image: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await build_image(
            "sandbox-agent-tests:broken",
            base=base_image,
            packages=["no-such-package"],
            wheelhouse=installed_wheelhouse(),
        )
    assert "neither apt-get nor apk" in caught.value.details["log"]


BASES = {
    # As node:*, ubuntu:24.04 and the devcontainers are: somebody has 1000, with a group of another number.
    "theirs": "RUN echo 'node:x:1000:1004::/home/node:/bin/bash' >>/etc/passwd; echo 'node:x:1004:' >>/etc/group; "
    "mkdir -p /home/node; chmod 755 /home/node; echo kept >/home/node/.profile; chown -R 1000:1004 /home/node",
    "named-agent": "RUN echo 'agent:x:1234:1234::/srv/agent:/bin/sh' >>/etc/passwd; echo 'agent:x:1234:' >>/etc/group",
}
WHO = 'id -u; id -g; cd "$HOME" && pwd -P; touch "$HOME/x" /workspace/x /opt/agents/x && stat -c %U ~agent/.'


@pytest.mark.parametrize(
    ("base", "identity"),
    [
        ("theirs", ["1000", "1004", "/home/node", "node"]),
        ("named-agent", ["1234", "1234", "/srv/agent", "agent"]),
    ],
    ids=str,
)
def test_agent_is_a_name_for_the_user_that_the_base_has(
    base: str, identity: list[str], base_image: str, docker_client: Any
) -> None:
    image = _built(
        docker_client, f"FROM {base_image} AS base\n{BASES[base]}\n", base="base", target="prepared"
    )
    try:
        said = docker_client.containers.run(
            image, ["sh", "-c", WHO], user="agent", environment={"HOME": "/home/agent"}, remove=True
        )
        assert said.decode().split() == identity
    finally:
        docker_client.api.remove_image(image)


# The distribution's own is there when its package manager has brought it.
APT = (
    r"""#!/bin/sh\n[ "$1" != install ] || mv /hidden /usr/local/bin/python3\necho "$@" >>/apt.log"""
)


def test_a_base_without_python_gets_that_of_its_distribution(
    base_image: str, docker_client: Any
) -> None:
    hide = (
        "RUN rm /usr/local/bin/python; mv /usr/local/bin/python3 /hidden; "
        f"printf '{APT}\\n' >/bin/apt-get; chmod 755 /bin/apt-get"
    )
    image = _built(
        docker_client, f"FROM {base_image} AS base\n{hide}\n", base="base", target="prepared"
    )
    try:
        said = docker_client.containers.run(image, ["cat", "/apt.log"], remove=True).decode()
        assert said.splitlines()[-1].endswith("python3 python3-venv")
    finally:
        docker_client.api.remove_image(image)


def _built(client: Any, before: str, *, base: str, target: str) -> str:
    """Of a stage of our Dockerfile, on a base that is made in front of it."""
    ours = dockerfile()
    source = before + ours[ours.index("FROM ${BASE}") :].replace("${BASE}", base)
    tag = f"sandbox-agent-tests:{target}-{new_id('img')[-12:]}"
    image, _ = client.images.build(
        fileobj=io.BytesIO(source.encode()),
        tag=tag,
        target=target,
        rm=True,
        buildargs={"PACKAGES": ""},
    )
    assert image.tags == [tag]
    return tag


async def test_a_snapshot_is_an_image_to_start_from(server_image: str, docker_client: Any) -> None:
    provider = DockerProvider(pull="never")
    async with SandboxAgent.start(provider, env={"SECRET": "hush"}, keep=True) as client:
        container = docker_client.containers.get(client.sandbox.ref.id)
        container.exec_run(["sh", "-c", "echo done so far >/workspace/work.txt"])
        session = await client.create_session("mock")
        await session.prompt("text hello")
        image = await client.sandbox.snapshot(name="sandbox-agent-tests:checkpoint")
        assert (await session.prompt("text again")).stop_reason == "end_turn"
        await client.sandbox.destroy()
    assert image.options == {"image": "sandbox-agent-tests:checkpoint"}
    assert any(one.name == image.name for one in await provider.list_images())
    start = SandboxAgent.start("docker", **image.options, pull="never")
    async with start as client:
        container = docker_client.containers.get(client.sandbox.ref.id)
        look = ["sh", "-c", "cat /workspace/work.txt; grep -r hush /var/lib/.sandbox-agent"]
        assert container.exec_run(look).output.strip() == b"done so far"
        assert not container.labels.get("sandbox-agent-kept")
        assert [one.id for one in await client.list_sessions()] == [session.id]
    await provider.remove_image(image.name)
