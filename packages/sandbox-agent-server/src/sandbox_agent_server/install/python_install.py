"""Installs an agent that is a Python program: into a virtual environment of its own, with a Python that is new enough.

The environment is moved when it is complete. Its scripts would name the place where it was made, so a launcher
starts the program by its entry point.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import InstallFailed, PythonMissing

from sandbox_agent_server.install.tool_process import run_tool, without_own_variables

__all__ = [
    "INSTALL_TIMEOUT_S",
    "OWN_VERSION",
    "find_python",
    "install_with_pip",
    "write_python_launcher",
]

INSTALL_TIMEOUT_S: Final = 900.0
OWN_VERSION: Final = sys.version_info[:2]
_ASK_TIMEOUT_S: Final = 20.0
_NEWEST_MINOR: Final = 16
_VENV: Final = "venv"
_SAY_VERSION: Final = "import sys; print(*sys.version_info[:2])"
_START: Final = """\
import sys
from importlib.metadata import entry_points

(program,) = entry_points(group="console_scripts", name={name!r})
sys.argv[0] = {name!r}
sys.exit(program.load()())
"""


def find_python(environ: Mapping[str, str], *, agent: str, at_least: str) -> Path:
    """The one that runs this server when it is new enough, else one on the PATH, or that uv knows.

    Raises:
        PythonMissing: there is none; says which is needed.
    """
    wanted = _numbers(at_least)
    if wanted <= OWN_VERSION:
        return Path(sys.executable)
    for candidate in _candidates(environ, wanted):
        if _version_of(candidate, environ) >= wanted:
            return candidate
    raise PythonMissing(
        f"{agent} needs Python {at_least} or later, and this server runs with "
        f"{OWN_VERSION[0]}.{OWN_VERSION[1]}; no other was found on the PATH or by uv. Install one, for "
        f"example with `uv python install {at_least}`.",
        agent=agent,
        wanted=at_least,
    )


def install_with_pip(
    requirements: Sequence[str],
    directory: Path,
    *,
    python: Path,
    environ: Mapping[str, str],
    check: Callable[[], None],
) -> None:
    """Make `directory/venv` and install into it, from wheels only: no code of a package runs meanwhile.

    The configuration of pip, or of uv where that is here, says where packages come from.

    Raises:
        InstallFailed: `details.stderr` has the end of what was said.
    """
    venv = directory / _VENV
    inside = str(venv / "bin" / "python")
    uv = _uv(environ)
    if uv is not None:
        make = [uv, "venv", "--quiet", "--no-config", "--python", str(python), str(venv)]
        install = [uv, "pip", "install", "--quiet", "--python", inside]
    else:
        make = [str(python), "-m", "venv", str(venv)]
        install = [
            inside,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
        ]
    for command in (make, [*install, "--only-binary=:all:", *requirements]):
        done = run_tool(
            command,
            name=Path(command[0]).name,
            directory=directory,
            env=without_own_variables(environ),
            timeout_s=INSTALL_TIMEOUT_S,
            check=check,
        )
        if done.code != 0:
            raise InstallFailed(
                f"{requirements[0]} could not be installed (status {done.code}): {done.first_lines}",
                package=requirements[0],
                stderr=done.said,
            )
    os.sync()


def write_python_launcher(
    directory: Path, *, script: str, program: str, package: str, version: str
) -> Path:
    """`directory/bin/<program>`, which runs the console script of that name.

    Raises:
        InstallFailed: no package that was installed has such a script.
    """
    if not (directory / _VENV / "bin" / script).is_file():
        raise InstallFailed(f"{package} {version} has no program {script!r}.", package=package)
    folder = directory / "bin"
    folder.mkdir(exist_ok=True)
    (folder / f"{program}.py").write_text(_START.format(name=script), encoding="utf-8")
    launcher = folder / program
    name = shlex.quote(program)
    launcher.write_text(
        "#!/bin/sh\n"
        'here=$(dirname -- "$(readlink -f -- "$0")")\n'
        f'exec "$here"/../{_VENV}/bin/python "$here"/{name}.py "$@"\n',
        encoding="utf-8",
    )
    launcher.chmod(0o755)
    # What looks for the version of a program searches upwards from it.
    (directory / "package.json").write_text(
        json.dumps({"name": package, "version": version, "private": True}), encoding="utf-8"
    )
    return launcher


def _candidates(environ: Mapping[str, str], wanted: tuple[int, int]) -> Iterator[Path]:
    path = environ.get("PATH") or os.defpath
    names = [f"python{wanted[0]}.{minor}" for minor in range(_NEWEST_MINOR, wanted[1] - 1, -1)]
    for name in (*names, "python3"):
        if found := shutil.which(name, path=path):
            yield Path(found)
    uv = _uv(environ)
    if uv is not None:
        wish = f">={wanted[0]}.{wanted[1]}"
        said = _output([uv, "python", "find", "--no-project", "--no-config", wish], environ)
        if said:
            yield Path(said)


def _uv(environ: Mapping[str, str]) -> str | None:
    """Of the PATH, or beside this Python."""
    path = environ.get("PATH") or os.defpath
    return shutil.which("uv", path=path) or shutil.which("uv", path=sysconfig.get_path("scripts"))


def _version_of(python: Path, environ: Mapping[str, str]) -> tuple[int, int]:
    try:
        major, minor = _output([str(python), "-c", _SAY_VERSION], environ).split()
        return int(major), int(minor)
    except ValueError:
        return 0, 0


def _output(command: Sequence[str], environ: Mapping[str, str]) -> str:
    """Empty when it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own Pythons, and uv
            command,
            env=without_own_variables(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ASK_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)
