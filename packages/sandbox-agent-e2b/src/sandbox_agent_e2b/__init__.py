"""E2B sandboxes for sandbox-agent. The SDK is imported when it is first needed."""

from sandbox_agent_e2b.provider import E2BProvider

__all__ = ["E2BProvider"]
