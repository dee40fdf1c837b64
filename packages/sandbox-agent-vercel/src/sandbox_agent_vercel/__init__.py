"""Vercel sandboxes for sandbox-agent. The SDK is imported when it is first needed."""

from sandbox_agent_vercel.provider import VercelProvider

__all__ = ["VercelProvider"]
