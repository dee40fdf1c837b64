"""Codex, natively: its app-server protocol translated to ACP frames in process."""

from sandbox_agent_core.agent_options import CodexOptions
from sandbox_agent_core.spi.agent import AgentDefinition

from sandbox_agent_server.agents.codex.adapter import CodexAdapter
from sandbox_agent_server.agents.codex.launch import ENV_NAMES, INSTALL_HINT, LOGIN_HINT, find

__all__ = ["DEFINITION", "CodexAdapter"]

DEFINITION = AgentDefinition(
    name="codex",
    title="Codex",
    create=CodexAdapter,
    find=find,
    takes_system_prompt=True,
    takes_skills=True,
    install_hint=INSTALL_HINT,
    login_hint=LOGIN_HINT,
    env_names=ENV_NAMES,
    session_options=CodexOptions,
    # Its model may ask in its plan mode only.
    lacks=("questions",),
    base_url_env={"openai": "OPENAI_BASE_URL"},
    # No `accept-edits`: Codex's `auto` also runs commands without asking, in its sandbox.
    permission_modes={
        "ask": "untrusted",
        "read-only": "read-only",
        "plan": "plan",
        "bypass": "full-access",
    },
)
