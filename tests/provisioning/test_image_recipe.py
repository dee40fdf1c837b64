"""The recipe on a real machine without a vendor: a container, in which its commands are run as a vendor runs them."""

from __future__ import annotations

import io
import tarfile
from typing import Any

from sandbox_agent_client.sandboxes.wheels import server_wheels
from sandbox_agent_core.provisioning.image_recipe import DIRECTORY, image_recipe
from sandbox_agent_core.spi.images import ImageSpec, image_name
from support.docker_engine import DockerEngine
from support.docker_fixtures import base_image, docker_client, docker_tests, engine
from support.wheelhouse import installed_wheelhouse

__all__ = ["base_image", "docker_client", "engine"]


def test_the_digest_is_of_what_goes_in_and_of_nothing_else() -> None:
    one = ImageSpec(agents=["b", "a"], wheels=server_wheels())
    assert one.digest == ImageSpec(agents=["a", "b"], wheels=server_wheels(), name="x").digest
    assert one.digest != ImageSpec(agents=["a"], wheels=server_wheels()).digest
    assert one.digest != ImageSpec(agents=["a", "b"]).digest
    assert image_name(server_wheels()) == image_name(server_wheels()) != image_name(())


def test_what_changes_least_comes_first_and_settings_are_apart() -> None:
    recipe = image_recipe(
        ImageSpec(
            agents=["pi", "claude"],
            packages=["git"],
            npm_registry="http://npm/",
            settings={"PIP_INDEX_URL": "http://me:pw@pip/"},
        )
    )
    assert "install -y -qq --no-install-recommends git" in recipe.before[0]
    assert [command.split()[-2:] for command in recipe.after[1:]] == [
        ["agent", "claude"],
        ["agent", "pi"],
        [f"{DIRECTORY}/build.sh", "finish"],
    ]
    assert recipe.after[1].startswith("env SANDBOX_AGENT_NPM_REGISTRY=http://npm/ sh ")
    assert "pw" not in str([*recipe.before, *recipe.after])
    assert recipe.with_env("x") == "env PIP_INDEX_URL=http://me:pw@pip/ x"


class TestInAContainer:
    pytestmark = docker_tests

    def test_the_server_is_there_for_whoever_runs_the_sandbox(
        self, engine: DockerEngine, base_image: str, docker_client: Any
    ) -> None:
        recipe = image_recipe(ImageSpec(packages=(), wheelhouse=installed_wheelhouse()))
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, content in recipe.files.items():
                entry = tarfile.TarInfo(f"{DIRECTORY.lstrip('/')}/{name}")
                entry.size, entry.mode = len(content), 0o644
                tar.addfile(entry, io.BytesIO(content))
        container = docker_client.containers.create(base_image, ["sleep", "600"])
        try:
            container.put_archive("/", archive.getvalue())
            container.start()
            for command in (*recipe.before, *recipe.after):
                code, said = container.exec_run(["sh", "-c", command])
                assert code == 0, said.decode()
            look = "sandbox-agent-server --version && touch /opt/agents/mine && ls /opt"
            code, said = container.exec_run(["sh", "-c", look], user="1000:1000")
            assert code == 0, said.decode()
            assert said.split()[-2:] == [b"agents", b"sandbox-agent"]
            assert said.startswith(b"sandbox-agent-server ")
        finally:
            container.remove(force=True)
