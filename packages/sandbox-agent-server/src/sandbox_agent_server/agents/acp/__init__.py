"""Agents that speak ACP themselves: a subprocess, and frames that pass through."""

from sandbox_agent_server.agents.acp.adapter import AcpAdapter
from sandbox_agent_server.agents.acp.definition import acp_definition

__all__ = ["AcpAdapter", "acp_definition"]
