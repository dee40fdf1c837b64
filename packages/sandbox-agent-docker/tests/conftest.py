from __future__ import annotations

import pytest
from support.docker_engine import DockerEngine
from support.docker_fixtures import base_image, docker_client, engine, server_image

__all__ = ["base_image", "docker_client", "engine", "server_image"]


@pytest.fixture
def docker_environment(engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is where `DOCKER_HOST` says, for this process and those it starts."""
    monkeypatch.setenv("DOCKER_HOST", engine.host)
