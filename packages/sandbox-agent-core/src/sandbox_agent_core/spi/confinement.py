"""How agents of a local sandbox are confined, and what to say where that cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sandbox_agent_core.errors import ConfinementUnavailable

__all__ = ["PROGRAM", "TRIAL", "Confinement", "unavailable"]

PROGRAM: Final = "bwrap"
TRIAL: Final = (
    "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true",
)  # fmt: skip
"""What it must be able to do here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What confined agents may see and change, besides their workspace."""

    home: Literal["hidden", "read-only"] = "hidden"
    """Of the user; what an agent needs of its own settings is there either way, its login may be renewed."""
    network: bool = True
    """False: none at all, so only for agents that need no model of elsewhere."""
    writable: Sequence[str] = ()
    """Directories that they may change, too."""
    readable: Sequence[str] = ()
    """Files and directories that they may read, too."""


def unavailable(said: str | None) -> ConfinementUnavailable:
    """`said`: what `bwrap` wrote when it was tried; None when it is not there."""
    if said is None:
        return ConfinementUnavailable(
            f"Confining agents needs bubblewrap, and there is no `{PROGRAM}` on the PATH. Run "
            "`apt-get install bubblewrap` (Debian, Ubuntu) or `dnf install bubblewrap` (Fedora); it is for Linux.",
            program=PROGRAM,
        )
    return ConfinementUnavailable(
        f"Confining agents needs bubblewrap, and `{PROGRAM}` may not do here what it needs: "
        f"{said.strip() or 'it said nothing'}. On Ubuntu 23.10 and later AppArmor forbids user namespaces: allow them "
        f"to `/usr/bin/{PROGRAM}` with an AppArmor profile (`userns,`), or for all with "
        "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`. In a container, run it with fewer restrictions "
        "(`--security-opt seccomp=unconfined --security-opt apparmor=unconfined`), or let the container be the wall.",
        program=PROGRAM,
        said=said.strip(),
    )
