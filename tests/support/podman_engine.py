"""A Podman of a test's own, as a Docker daemon is: its API on a socket, its images and settings in a directory."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from support.server import until

__all__ = ["podman_engine", "why_no_podman"]

PROGRAMS = ("podman", "conmon", "runc", "iptables", "busybox")
ALONE = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
"""Its bridge and its rules for the firewall are in a network that ends with it; so nobody reaches its ports."""
CONTAINERS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_config_dir = "{directory}/networks"
"""
STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{directory}/images"
runroot = "{directory}/run"
"""


def why_no_podman() -> str | None:
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a Podman of the tests' own needs Linux and root"
    missing = [one for one in PROGRAMS if shutil.which(one) is None]
    if not Path("/usr/libexec/podman/catatonit").exists() and shutil.which("catatonit") is None:
        missing.append("catatonit")
    if shutil.which("netavark", path="/usr/lib/podman:/usr/libexec/podman") is None:
        missing.append("netavark")
    if not missing:
        return None
    return (
        f"{', '.join(missing)} missing: apt-get install podman netavark catatonit runc iptables "
        "busybox-static"
    )


@contextlib.contextmanager
def podman_engine() -> Iterator[str]:
    """Where it listens, for `DOCKER_HOST`."""
    # The paths of sockets are short.
    with tempfile.TemporaryDirectory(prefix="sbx-podman-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        for file, text in (("containers.conf", CONTAINERS), ("storage.conf", STORAGE)):
            (directory / file).write_text(text.format(directory=directory))
        environment = {
            **os.environ,
            "CONTAINERS_CONF": str(directory / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(directory / "storage.conf"),
        }
        listening = directory / "podman.sock"
        with (directory / "service.log").open("wb") as log:
            service = subprocess.Popen(
                [*ALONE, "podman", "system", "service", "--time=0", f"unix://{listening}"],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            until(listening.exists)
            yield f"unix://{listening}"
        finally:
            service.terminate()
            service.wait()
            _end_watchers(directory)
            subprocess.run(
                [*ALONE, "podman", "system", "reset", "--force"],
                env=environment,
                capture_output=True,
            )


def _end_watchers(directory: Path) -> None:
    """Podman leaves one for each script that it has run, for five minutes, which then writes into the directory."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if b"conmon" in command and os.fsencode(directory) in command:
                os.kill(int(process.name), signal.SIGKILL)
