"""The lab of the agents' suite, and repositories that are not what they seem."""

from agent_conformance.conftest import lab

__all__ = ["lab"]
