"""An agent without a model: offline, free and always the same, to build and test against.

It is a complete ACP agent. The first word of a prompt chooses what it does, in either case; anything
else is echoed. `help` prints the list, `scenarios.py` defines it:

    text · reasoning · tool · edit (diff) · terminal · plan · usage · work · substeps · unknown · late · history
    permission · question                         ask the person
    wait                                          until something is said into the turn
    stream N [DELAY_MS] · burst NxSIZE · slow [SECONDS]   a lot, or for long
    error [CODE] · refusal · max-tokens · crash · hang · garbage      go wrong

It runs in the server's process. `python -m sandbox_agent_server.agents.mock` is the same agent as a
program on stdio, with a real death to die.
"""

from __future__ import annotations

from sandbox_agent_core.agent_options import MockOptions
from sandbox_agent_core.spi.agent import AgentDefinition, AgentInstallation

from sandbox_agent_server.agents.mock.adapter import MockAdapter

__all__ = ["DEFINITION"]

DEFINITION = AgentDefinition(
    name="mock",
    title="Mock agent",
    create=MockAdapter,
    find=lambda _env: AgentInstallation(path="(built in)", version="builtin"),
    install_hint="It is part of the server: there is nothing to install.",
    session_options=MockOptions,
    permission_modes={"ask": "default", "bypass": "bypass"},
    needs_credentials=False,
)
