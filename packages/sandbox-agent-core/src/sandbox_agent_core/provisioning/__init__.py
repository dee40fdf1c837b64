"""Getting the server into a sandbox and running there: what every provider of a plain machine needs.

A provider says how to run a script and write a file in its sandbox (`Machine`) and calls `provision`;
`provider.MachineProvider` is what is the same in those of ours. Nothing here does I/O: what happens, happens
through the machine.
"""

from sandbox_agent_core.provisioning.ladder import (
    ensure_running,
    provision,
    read_token,
    tail_log,
)
from sandbox_agent_core.provisioning.layout import ServerLayout
from sandbox_agent_core.provisioning.machine import (
    CommandResult,
    Machine,
    detached,
    find_home,
    free_port,
)

__all__ = [
    "CommandResult",
    "Machine",
    "ServerLayout",
    "detached",
    "ensure_running",
    "find_home",
    "free_port",
    "provision",
    "read_token",
    "tail_log",
]
