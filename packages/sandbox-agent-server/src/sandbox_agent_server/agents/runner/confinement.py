"""An agent in bubblewrap: it sees the system, its own programs and settings, and the workspace, which it may change."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.spi.agent import Confined
from sandbox_agent_core.spi.confinement import PROGRAM, TRIAL, unavailable

from sandbox_agent_server.agents.private_file import PRIVATE_PREFIX
from sandbox_agent_server.agents.runner.confined_home import make_places, show, show_home
from sandbox_agent_server.agents.runner.program_files import program_files
from sandbox_agent_server.runtime.errors import located
from sandbox_agent_server.runtime.mounts import Mounts, sockets_below
from sandbox_agent_server.settings import ConfinementSettings, Settings, default_data_dir

__all__ = ["AgentConfinement", "check_confinement", "is_confined"]

_TRIAL_TIMEOUT_S: Final = 20.0
_FLAGS: Final = (
    "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
    "--die-with-parent", "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev",
)  # fmt: skip
# They lead to sockets of the desktop, to keys that are used by asking, and to who may start containers.
_LEADING_OUT: Final = (
    "CONTAINER_HOST", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "DOCKER_HOST", "GNOME_KEYRING_CONTROL",
    "GPG_AGENT_INFO", "SSH_AGENT_PID", "SSH_AUTH_SOCK", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR",
)  # fmt: skip
_CERTIFICATES: Final = (
    "CODEX_CA_CERTIFICATE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "GOOGLE_APPLICATION_CREDENTIALS",
    "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE",
)  # fmt: skip
_LISTENING: Final = frozenset({"kilo", "opencode"})
"""The server talks to them over the network of this machine."""
_ASKING_OUTSIDE: Final = frozenset({"amp"})
"""They ask for permission by starting a program of ours, which is not there inside."""


def check_confinement() -> None:
    """Raises: ConfinementUnavailable: it cannot be done on this machine."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise unavailable(None)
    try:
        tried = subprocess.run(  # noqa: S603 - a fixed command
            [program, *TRIAL], capture_output=True, timeout=_TRIAL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise unavailable(str(exc)) from exc
    if tried.returncode != 0:
        raise unavailable(tried.stderr.decode("utf-8", "replace"))


def is_confined(pid: int) -> bool:
    """What was started is bubblewrap, and everything else is its child."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == PROGRAM
    except FileNotFoundError:
        return True  # it has ended


class AgentConfinement:
    def __init__(self, settings: Settings, how: ConfinementSettings) -> None:
        self._settings = settings
        self._how = how

    def check(self, agent: str, cwd: Path, env: Mapping[str, str]) -> None:
        """`cwd`: a directory that it may change. Raises: InvalidRequest: nothing would be left to keep from it, or it
        cannot work like this."""
        if agent in _ASKING_OUTSIDE:
            raise InvalidRequest(
                f"agent {agent!r} cannot be confined: it could not ask for permission"
            )
        if agent in _LISTENING and not self._how.network:
            raise InvalidRequest(f"agent {agent!r} cannot be confined without a network")
        workspace = cwd.resolve()
        for kept in (Path(os.environ.get("HOME") or "/usr"), Path("/usr")):
            if kept.resolve().is_relative_to(workspace):
                raise InvalidRequest(
                    f"a confined agent may change its workspace, and {str(workspace)!r} holds {str(kept)!r}: "
                    "use the directory of a project"
                )
        if workspace in {Path(env.get("HOME") or "/").resolve(), self._settings.data_dir.resolve()}:
            raise InvalidRequest(
                f"{str(workspace)!r} is kept from confined agents: use the directory of a project"
            )

    def of(
        self,
        agent: str,
        home: Path,
        argv: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        *,
        additional: Sequence[Path] = (),
        readable: Sequence[Path] = (),
    ) -> Confined:
        """`home`: a directory that becomes the agent's home, or holds what it writes there. `additional`: what it may
        change besides the workspace, in this session. `readable`: what it may read of ours. Blocks.

        Raises:
            FileNotFoundError: there is no such program.
            ConfinementUnavailable: `bwrap` has gone.
        """
        bwrap = shutil.which(PROGRAM)
        if bwrap is None:
            raise unavailable(None)
        program = located(argv[0], cwd, env)
        if program is None:
            raise FileNotFoundError(argv[0])
        program = program.absolute()
        mounts = Mounts()
        mounts.write(cwd)
        for path in (*additional, *map(Path, self._how.writable)):
            mounts.write(path.expanduser().absolute())
        if env.get("HOME"):
            show_home(mounts, agent, home, env, whole=self._how.home == "read-only")
        self._show_programs(mounts, program, argv[1:], env)
        for path in map(Path, self._how.readable):
            show(mounts, path.expanduser().absolute())
        self._hide(mounts)
        for path in readable:
            mounts.read(path)  # it lies in what is hidden
        for path in sockets_below(mounts.read_only_places()):
            mounts.hide(path)
        if env.get("HOME"):
            make_places(mounts, home, Path(env["HOME"]).absolute())
        inside = {name: value for name, value in env.items() if name not in _LEADING_OUT}
        inside.pop("TMPDIR", None)
        network = () if self._how.network else ("--unshare-net",)
        arguments = [bwrap, *_FLAGS, *network, *mounts.arguments(), "--chdir", str(cwd), "--"]
        return Confined(argv=[*arguments, str(program), *argv[1:]], env=inside)

    def _show_programs(
        self, mounts: Mounts, program: Path, arguments: Sequence[str], env: Mapping[str, str]
    ) -> None:
        agents = self._settings.agents_dir.absolute()
        if agents.is_dir():
            mounts.read(agents)
        node = shutil.which("node", path=env.get("PATH") or "")
        for path in (program, *([Path(node)] if node else ())):
            for file in program_files(path, env):
                show(mounts, file)
        home = Path(env.get("HOME") or "/")
        for directory in map(Path, (env.get("PATH") or "").split(os.pathsep)):
            if (
                directory.is_absolute()
                and directory.is_dir()
                and not home.is_relative_to(directory)
            ):
                show(mounts, directory)
        named = [argument.partition("=")[2] or argument for argument in arguments]
        # Files only: a directory may be anything, and is named in `readable` when it is meant.
        named += [
            value
            for name, value in env.items()
            if name in _CERTIFICATES or Path(value).name.startswith(PRIVATE_PREFIX)
        ]
        for path in map(Path, named):
            if path.is_absolute() and _is_file(path):
                show(mounts, path)

    def _hide(self, mounts: Mounts) -> None:
        settings = self._settings
        hidden = [settings.data_dir.absolute(), *(path.absolute() for path in self._how.hidden)]
        if settings.ready_file is not None:
            hidden.append(settings.ready_file.absolute())
        # Of other servers of this user.
        hidden.append(default_data_dir(os.environ))
        # From above to below: what lies in a hidden directory needs no place there.
        for path in sorted(hidden, key=lambda path: len(path.parts)):
            if mounts.shows(path) and path.exists():
                mounts.hide(path)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # an argument that is no path
