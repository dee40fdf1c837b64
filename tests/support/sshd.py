"""An sshd of the tests' own on the loopback, and a `ssh` that knows it by a name, as one's own configuration would."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from support.ports import free_port
from support.server import until

__all__ = ["Sshd", "running_sshd", "why_no_sshd"]

PRIVILEGE_SEPARATION = Path("/run/sshd")
"""sshd wants it, and a service would make it."""
SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/client_key.pub
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
StrictModes no
SetEnv {variables}
"""
CLIENT = """\
Host {name}
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {directory}/client_key
  IdentitiesOnly yes
  UserKnownHostsFile {directory}/known_hosts
  StrictHostKeyChecking yes
"""


@dataclass(frozen=True, slots=True)
class Sshd:
    name: str
    """Of the host, for `ssh`."""
    programs: Path
    """A directory for the PATH: its `ssh` knows the host."""
    known_hosts: Path


def why_no_sshd() -> str | None:
    missing = [one for one in ("sshd", "ssh", "ssh-keygen", "docker") if shutil.which(one) is None]
    if not missing:
        return "an account that is locked may not log in" if _is_locked() else None
    return f"{', '.join(missing)} missing: apt-get install openssh-server openssh-client docker.io"


def _is_locked() -> bool:
    """sshd without PAM asks it of the password, also where a key is used."""
    try:
        lines = Path("/etc/shadow").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(line.startswith(f"{getpass.getuser()}:!") for line in lines)


@contextlib.contextmanager
def running_sshd(directory: Path, *, environment: Mapping[str, str]) -> Iterator[Sshd]:
    """Sessions have that environment besides."""
    PRIVILEGE_SEPARATION.mkdir(exist_ok=True)
    for key in ("host_key", "client_key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / key], check=True
        )
    port = free_port()
    host_key = (directory / "host_key.pub").read_text()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    variables = " ".join(f"{name}={value}" for name, value in environment.items())
    (directory / "sshd_config").write_text(
        SERVER.format(port=port, directory=directory, variables=variables)
    )
    (directory / "ssh_config").write_text(
        CLIENT.format(name="Build-Machine", port=port, user=getpass.getuser(), directory=directory)
    )
    programs = directory / "bin"
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {directory}/ssh_config "$@"\n')
    ssh.chmod(0o755)
    log = directory / "sshd.log"
    server = subprocess.Popen(
        [str(shutil.which("sshd")), "-D", "-f", directory / "sshd_config", "-E", log],
        stdin=subprocess.DEVNULL,
    )
    try:
        until(lambda: "Server listening" in (log.read_text() if log.exists() else ""))
        yield Sshd("Build-Machine", programs, directory / "known_hosts")
    finally:
        server.terminate()
        server.wait()
