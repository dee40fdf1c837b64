"""Fixtures for tests with a Docker engine of their own; a conftest takes what it needs by importing the names.

Tests that use them carry `docker_tests`. All workers share one engine and one build of the images, so a test
that lists sandboxes also sees those of others.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

from support.docker_engine import DockerEngine, docker_engine, why_no_engine
from support.optional import skip_without

__all__ = ["BASE_IMAGE", "base_image", "docker_client", "docker_tests", "engine", "server_image"]

BASE_IMAGE = "sandbox-agent-tests:base"
"""sh and Python, run as root, without a server."""

# The first one also waits for the images.
docker_tests = [pytest.mark.docker, pytest.mark.timeout(300)]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:
    if reason := why_no_engine():
        skip_without(reason)
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with docker_engine(shared / "docker-engine") as running:
        yield running


@pytest.fixture(scope="session")
def docker_client(engine: DockerEngine) -> Iterator[Any]:
    """Docker's own SDK, to look at what the provider does."""
    import docker

    client = docker.DockerClient(base_url=engine.host)
    yield client
    client.close()


@pytest.fixture(scope="session")
def base_image(engine: DockerEngine, docker_client: Any) -> str:
    from support.docker_images import base_image_archive

    with engine.alone():
        if not _is_there(docker_client, BASE_IMAGE):
            repository, _, tag = BASE_IMAGE.partition(":")
            docker_client.api.import_image_from_data(
                base_image_archive(),
                repository=repository,
                tag=tag,
                changes=["ENV PATH=/usr/local/bin:/usr/bin:/bin"],
            )
    return BASE_IMAGE


@pytest.fixture(scope="session")
def server_image(engine: DockerEngine, docker_client: Any, base_image: str) -> str:
    """What `DockerProvider()` takes by itself, built as a user builds it, but for the index."""
    from sandbox_agent_client.sandboxes.wheels import server_wheels
    from sandbox_agent_docker import build_image
    from sandbox_agent_docker.image.choice import full_image

    from support.wheelhouse import installed_wheelhouse

    with engine.alone():
        if not _is_there(docker_client, full_image()):
            build = build_image(
                base=base_image,
                packages=(),
                wheels=server_wheels(),
                wheelhouse=installed_wheelhouse(),
                docker_host=engine.host,
            )
            asyncio.run(build)
    return full_image()


def _is_there(client: Any, image: str) -> bool:
    from docker.errors import ImageNotFound

    try:
        client.api.inspect_image(image)
    except ImageNotFound:
        return False
    return True
