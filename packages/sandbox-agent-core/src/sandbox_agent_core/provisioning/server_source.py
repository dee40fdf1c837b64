"""What a sandbox gets its server from. It is never an index that nobody has named: whoever owns our names there would
run code beside the user's keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sandbox_agent_core.installed_from import pip_install
from sandbox_agent_core.spi.provider import SandboxSpec, Wheel

__all__ = ["INDEX_VARIABLES", "no_server", "wheelhouse_of"]

INDEX_VARIABLES: Final = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
"""In the environment that the caller gives to a sandbox, each names an index on purpose."""
_SERVER_FILE: Final = "sandbox_agent_server-"


def no_server(spec: SandboxSpec, env: Mapping[str, str]) -> str | None:
    """Why a sandbox whose image has no server cannot get one, and what to do; None when it can.

    `env`: what the caller gives to the sandbox.
    """
    if any(file.filename.startswith(_SERVER_FILE) for file in spec.wheels()):
        return None
    wheelhouse = wheelhouse_of(spec)
    if wheelhouse:
        if any(file.filename.startswith(_SERVER_FILE) for file in wheelhouse):
            return None
        where = "neither in the wheelhouse nor installed beside the client"
    elif any(env.get(name) for name in INDEX_VARIABLES):
        return None
    else:
        where = "not installed beside the client, which is where a new sandbox gets it from"
    return (
        f"The server is {where}. Run `{pip_install('sandbox-agent-server')}`; or name an index of yours "
        f"that has it, with {INDEX_VARIABLES[0]} in the sandbox's env."
    )


def wheelhouse_of(spec: SandboxSpec) -> Sequence[Wheel]:
    return spec.wheelhouse() if callable(spec.wheelhouse) else spec.wheelhouse
