"""Daytona sandboxes for sandbox-agent. The SDK is imported when it is first needed."""

from sandbox_agent_daytona.provider import DaytonaProvider

__all__ = ["DaytonaProvider"]
