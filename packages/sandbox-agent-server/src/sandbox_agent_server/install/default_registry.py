"""The npm registry where no configuration names one. No host is written here: only an npm knows its default, which a
company's own build of npm may have changed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from sandbox_agent_core.errors import InstallFailed, NodeMissing

from sandbox_agent_server.install.node import ANY_NODE, NodeTools, error_line
from sandbox_agent_server.install.node_supply import NodeSupply

__all__ = ["ask_npm", "bring_and_ask_npm"]

_NPM_TIMEOUT_S: Final = 20


def ask_npm(environ: Mapping[str, str], candidates: Iterable[NodeTools]) -> str:
    """What the first of them says.

    Raises:
        InstallFailed: there is no npm, or none that says it.
    """
    troubles = []
    for tools in candidates:
        if not tools.npm:
            continue
        try:
            done = subprocess.run(  # noqa: S603 - the user's own npm
                [*tools.npm, "config", "get", "registry", "--global"],
                env=tools.environment(environ),
                # Not in a repository, whose .npmrc npm would read.
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_NPM_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as exc:
            troubles.append(f"{tools.npm[-1]}: {exc}")
            continue
        if done.returncode == 0:
            return done.stdout.strip()
        troubles.append(f"{tools.npm[-1]}: {error_line(done)}")
    raise _unknown(f"does not tell it ({'; '.join(troubles)})" if troubles else "is not here")


def bring_and_ask_npm(
    environ: Mapping[str, str], supply: NodeSupply, *, on_fetch: Callable[[], None]
) -> str:
    """What the npm says that is here, else one that is brought; `on_fetch` as of `NodeSupply.require`.

    Raises:
        InstallFailed: there is no npm, and none could be brought.
    """
    try:
        tools = supply.require("npm", ANY_NODE, on_fetch=on_fetch)
    except NodeMissing as exc:
        raise _unknown(f"is not here. {exc.message}") from exc
    return ask_npm(environ, [tools])


def _unknown(why: str) -> InstallFailed:
    return InstallFailed(
        f"No npm registry is configured, and npm, which would tell its default, {why.rstrip('.')}. "
        "Set NPM_CONFIG_REGISTRY to the URL of one, or put `registry=URL` into ~/.npmrc."
    )
