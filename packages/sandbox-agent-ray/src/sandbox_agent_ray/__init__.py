"""Batches of sandbox-agent on a Ray cluster."""

from sandbox_agent_ray.engine import RayEngine

__all__ = ["RayEngine"]
