"""Kubernetes sandboxes for sandbox-agent. The client library is imported when it is first needed."""

from sandbox_agent_kubernetes.provider import KubernetesProvider

__all__ = ["KubernetesProvider"]
