"""Pi, natively: its RPC mode translated to ACP frames in process, with a permission gate of our own."""

from sandbox_agent_core.agent_options import PiOptions
from sandbox_agent_core.spi.agent import AgentDefinition

from sandbox_agent_server.agents.native.grants import PERMISSION_MODES
from sandbox_agent_server.agents.pi.adapter import PiAdapter
from sandbox_agent_server.agents.pi.launch import ENV_NAMES, INSTALL_HINT, find

__all__ = ["DEFINITION", "PiAdapter"]

DEFINITION = AgentDefinition(
    name="pi",
    title="Pi",
    create=PiAdapter,
    find=find,
    takes_system_prompt=True,
    takes_skills=True,
    mcp_transports=(),
    session_options=PiOptions,
    lacks=("mcp", "questions"),
    install_hint=INSTALL_HINT,
    env_names=ENV_NAMES,
    permission_modes=PERMISSION_MODES,
    base_url_env={
        "anthropic": "ANTHROPIC_BASE_URL",
        "openai": "OPENAI_BASE_URL",
        "google": "GOOGLE_GEMINI_BASE_URL",
    },
)
