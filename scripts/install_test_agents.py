#!/usr/bin/env python3
"""Installs the pinned agents of `tests/support/agents.toml` into `.agents/`: with the server's own installer, the
benchmarks' peer with npm.

Safe to run again and from several shells at once: what is there in the right version stays, an
install appears whole or not at all, and a lock lets one run at a time do the work.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_server.install.agents_dir import AgentsDir
from sandbox_agent_server.install.installer import Installer
from support.agents import AGENTS_DIR, AgentPin, installed_binary, load_pins

INSTALL_TIMEOUT_S = 600
MAX_BYTES = 2 * 1024**3


class InstallError(Exception):
    """npm did not deliver; the message holds the end of what it said."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--peer", action="store_true", help="also the benchmarks' peer server")
    args = parser.parse_args()
    wanted = {"default", "npm"} | ({"peer"} if args.peer else set())
    # Tests skip what is missing, so a laptop without a network is no error; CI must have run them all.
    failure_code = 1 if os.environ.get("CI") or args.peer else 0
    pins = [pin for pin in load_pins().values() if pin.when in wanted]

    if all(map(installed_binary, pins)):
        say("test agents: all there (" + ", ".join(pin.spec for pin in pins) + ")")
        return 0
    code = 0
    for pin in pins:
        try:
            install(pin)
        except (InstallError, SandboxAgentError) as error:
            say(f"{pin.name}: {error}")
            code = failure_code
    return code


def install(pin: AgentPin) -> None:
    if binary := installed_binary(pin):
        say(f"{pin.name}: {pin.spec} is there: {shown(binary)}")
        return
    say(f"{pin.name}: installing {pin.spec} ...")
    started = time.monotonic()
    if pin.when != "default":
        with AgentsDir(AGENTS_DIR).locked(pin.name, on_wait=wait, check=lambda: None):
            install_with_npm(pin)
    else:
        installer = Installer(AgentsDir(AGENTS_DIR), environ=os.environ, max_bytes=MAX_BYTES)
        installer.install(pin.name, version=pin.version)
    binary = installed_binary(pin)
    assert binary is not None
    say(f"{pin.name}: done in {time.monotonic() - started:.0f} s: {shown(binary)}")


def install_with_npm(pin: AgentPin) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise InstallError("npm is not on PATH. Install Node.js.")
    scratch = Path(tempfile.mkdtemp(dir=AGENTS_DIR, prefix=f".{pin.name}-"))
    try:
        run_npm(npm, pin, scratch)
        unpacked = pin.find_binary(scratch)
        if unpacked is None:
            raise InstallError(f"{pin.spec} holds no {pin.binary!r}; is this platform supported?")
        unpacked.chmod(0o755)  # some packages leave that to the install script of a parent package
        pin.write_stamp(scratch)
        scratch.chmod(0o755)
        shutil.rmtree(pin.folder, ignore_errors=True)
        scratch.rename(pin.folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def run_npm(npm: str, pin: AgentPin, folder: Path) -> None:
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--no-save"]
    # No install scripts: the platform packages hold their binary, nothing has to run to get it.
    command += ["--ignore-scripts", "--loglevel=error", pin.spec]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"npm took more than {INSTALL_TIMEOUT_S} s, gave up") from error
    if done.returncode != 0:
        raise InstallError(f"npm failed with code {done.returncode}:\n{done.stdout[-2000:]}")


def wait() -> None:
    say("test agents: another run is installing, waiting for it ...")


def shown(path: Path) -> Path:
    return path.relative_to(AGENTS_DIR.parent)


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
