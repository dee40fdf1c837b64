"""An image from a bare base, for vendors that build from files and commands: a directory that is copied in, and what is
run, in an order in which what changes least comes first."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from sandbox_agent_core.provisioning.scripts import NPM_REGISTRY_VARIABLE, PYTHONS
from sandbox_agent_core.spi.images import ImageSpec
from sandbox_agent_core.spi.wheel import Wheel

__all__ = [
    "DIRECTORY",
    "PACKAGES",
    "ImageRecipe",
    "Requirements",
    "image_recipe",
    "inspectors_in",
    "server_requirements",
]

DIRECTORY: Final = "/opt/sandbox-agent-build"
"""Where the files are while it is built."""
PACKAGES: Final = (
    "bash",
    "git",
    "curl",
    "ca-certificates",
    "openssh-client",
    "ripgrep",
    "procps",
    "make",
    "jq",
)
"""What agents like to have, of a distribution like Debian."""

# The program is a script of ours, not a link: what it sets holds also where a vendor forgets an image's variables.
_SCRIPT: Final = f"""\
set -eu
case $1 in
server)
  shift
  base=""
  for python in {" ".join(PYTHONS)}; do
    path=$(command -v "$python") || continue
    if "$path" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then base=$path; break; fi
  done
  if [ -z "$base" ]; then echo "the base has no Python 3.11 or newer with venv"; exit 1; fi
  rm -rf /opt/sandbox-agent
  pip=""
  for file in {DIRECTORY}/pip-*.whl; do if [ -e "$file" ]; then pip=$file/pip; fi; done
  if [ -n "$pip" ]; then
    "$base" -m venv --without-pip /opt/sandbox-agent
    set -- "$pip" install --no-index --find-links {DIRECTORY} "$@"
  else
    "$base" -m venv /opt/sandbox-agent
    set -- -m pip install --find-links {DIRECTORY} "$@"
  fi
  PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 /opt/sandbox-agent/bin/python "$@" --quiet
  /opt/sandbox-agent/bin/python -c 'import sandbox_agent_server.app, sandbox_agent_server.cli.serving'
  mkdir -p /usr/local/bin /opt/agents
  cat >/usr/local/bin/sandbox-agent-server <<'END'
#!/bin/sh
export SANDBOX_AGENT_AGENTS_DIR="${{SANDBOX_AGENT_AGENTS_DIR:-/opt/agents}}"
exec /opt/sandbox-agent/bin/sandbox-agent-server "$@"
END
  chmod 755 /usr/local/bin/sandbox-agent-server
  sandbox-agent-server --version
  ;;
optional)
  shift
  /opt/sandbox-agent/bin/python -m pip install --quiet --no-deps --no-cache-dir --disable-pip-version-check "$@" ||
    echo "not installed, and the server works without: $*"
  ;;
agent)
  exec sandbox-agent-server install-agent "$2"
  ;;
finish)
  # Whoever the sandbox is run as may use these agents and install others.
  chmod 1777 /opt/agents
  find /opt/agents -mindepth 1 ! -type l -exec chmod a+rwX {{}} +
  rm -rf {DIRECTORY}
  ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Requirements:
    """For pip, from which a server is installed."""

    needed: Sequence[str]
    optional: Sequence[str] = ()
    """Of an index that may not have it: the server works without. It needs nothing itself."""


@dataclass(frozen=True, slots=True)
class ImageRecipe:
    files: Mapping[str, bytes]
    """To be copied to `DIRECTORY`; a change in them makes everything that comes after anew."""
    before: Sequence[str]
    """Commands, as root, that need no file."""
    after: Sequence[str]
    """Those that do; as root, too."""
    env: Mapping[str, str]
    """For each command, and not for the image."""

    def with_env(self, command: str) -> str:
        """The command, for a vendor that has no other way."""
        settings = " ".join(f"{name}={shlex.quote(self.env[name])}" for name in sorted(self.env))
        return f"env {settings} {command}" if settings else command


def image_recipe(spec: ImageSpec, *, packages: Sequence[str] = PACKAGES) -> ImageRecipe:
    """`packages`: what is installed when the spec does not say."""
    wanted = packages if spec.packages is None else spec.packages
    script = f"sh {DIRECTORY}/build.sh"
    requirements = server_requirements(
        spec.wheels,
        spec.wheelhouse,
        inspector=spec.inspector,
        node=spec.node,
        directory=DIRECTORY,
    )
    files = (*spec.wheelhouse, *(spec.inspector or ()), *spec.wheels)
    # No password is in it, and what is in the command is known again: a variable that is given apart may not be.
    npm = (
        f"env {NPM_REGISTRY_VARIABLE}={shlex.quote(spec.npm_registry)} "
        if spec.npm_registry
        else ""
    )
    return ImageRecipe(
        files={
            "build.sh": _SCRIPT.encode(),
            **{wheel.filename: wheel.content for wheel in files},
        },
        before=[_install_packages(wanted)] if wanted else [],
        after=[
            f"{script} server {' '.join(map(shlex.quote, requirements.needed))}",
            *(f"{script} optional {shlex.quote(one)}" for one in requirements.optional),
            *(f"{npm}{script} agent {shlex.quote(agent)}" for agent in sorted(set(spec.agents))),
            f"{script} finish",
        ],
        env=spec.settings,
    )


def server_requirements(
    wheels: Sequence[Wheel],
    wheelhouse: Sequence[Wheel],
    *,
    inspector: Sequence[Wheel] | None = None,
    node: bool,
    directory: str,
) -> Requirements:
    """The wheels are in that directory; without ours it is the index's server, or the wheelhouse's.

    `inspector`: of its wheel, or of a wheelhouse or an index with the server; None: without.
    """
    minor = _minor()
    ours = list(dict.fromkeys(wheel.filename for wheel in (*wheelhouse, *wheels)))
    server = next((name for name in ours if name.startswith("sandbox_agent_server-")), None)
    page = [] if inspector is None else inspector or inspectors_in(wheelhouse)
    extra = "[node]" if node else ""
    files = [f"{directory}/{wheel.filename}" for wheel in page]
    if server is None:
        is_index = inspector is not None and not wheelhouse and not page
        return Requirements(
            needed=[*files, f"sandbox-agent-server{extra}~={minor}.0"],
            optional=[f"sandbox-agent-inspector~={minor}.0"] if is_index else (),
        )
    core = [f"{directory}/{name}" for name in ours if name.startswith("sandbox_agent_core-")]
    return Requirements(needed=[*core, *files, f"{directory}/{server}{extra}"])


def inspectors_in(wheelhouse: Sequence[Wheel]) -> list[Wheel]:
    """The one of our minor version, if it is there."""
    wanted = f"sandbox_agent_inspector-{_minor()}."
    return [file for file in wheelhouse if file.filename.startswith(wanted)][:1]


def _minor() -> str:
    return ".".join(version("sandbox-agent-core").split(".")[:2])


def _install_packages(packages: Sequence[str]) -> str:
    """In one line, as each vendor takes it."""
    names = " ".join(map(shlex.quote, packages))
    return (
        "if command -v apt-get >/dev/null; then export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && "
        f"apt-get install -y -qq --no-install-recommends {names} && rm -rf /var/lib/apt/lists/*; "
        f"elif command -v apk >/dev/null; then apk add --no-cache {names}; "
        'else echo "the base has neither apt-get nor apk: build with no packages"; exit 1; fi'
    )
