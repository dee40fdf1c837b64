"""Docker sandboxes for sandbox-agent. Importing this does not import Docker's SDK."""

from sandbox_agent_docker.image.build import build_image
from sandbox_agent_docker.provider import DockerProvider

__all__ = ["DockerProvider", "build_image"]
