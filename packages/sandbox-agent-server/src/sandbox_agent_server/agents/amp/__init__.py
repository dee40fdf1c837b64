"""Amp, natively: `amp --execute --stream-json` translated to ACP frames, one process for each prompt."""

from sandbox_agent_core.agent_options import AmpOptions
from sandbox_agent_core.spi.agent import AgentDefinition

from sandbox_agent_server.agents.amp.adapter import AmpAdapter
from sandbox_agent_server.agents.amp.launch import ENV_NAMES, INSTALL_HINT, find
from sandbox_agent_server.agents.native.grants import PERMISSION_MODES

__all__ = ["DEFINITION", "AmpAdapter"]

DEFINITION = AgentDefinition(
    name="amp",
    title="Amp",
    create=AmpAdapter,
    find=find,
    takes_system_prompt=True,
    install_hint=INSTALL_HINT,
    env_names=ENV_NAMES,
    session_options=AmpOptions,
    lacks=("images", "questions"),
    permission_modes=PERMISSION_MODES,
)
