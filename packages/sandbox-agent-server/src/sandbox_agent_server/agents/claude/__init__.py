"""Claude Code, natively: its stream-json control protocol translated to ACP frames in process."""

from sandbox_agent_core.agent_options import ClaudeOptions
from sandbox_agent_core.spi.agent import AgentDefinition

from sandbox_agent_server.agents.claude.adapter import ClaudeAdapter
from sandbox_agent_server.agents.claude.launch import ENV_NAMES, INSTALL_HINT, find

__all__ = ["DEFINITION", "ClaudeAdapter"]

DEFINITION = AgentDefinition(
    name="claude",
    title="Claude Code",
    create=ClaudeAdapter,
    find=find,
    takes_system_prompt=True,
    takes_skills=True,
    install_hint=INSTALL_HINT,
    env_names=ENV_NAMES,
    base_url_env={"anthropic": "ANTHROPIC_BASE_URL"},
    session_options=ClaudeOptions,
    permission_modes={
        "ask": "default",
        "accept-edits": "acceptEdits",
        "read-only": "plan",
        "plan": "plan",
        "bypass": "bypassPermissions",
    },
)
