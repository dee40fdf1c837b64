"""Images without a registry: a small system made of busybox and the Python that runs the tests."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["base_image_archive", "program_mounts", "shell_archive"]

_BASE = Path(sys.base_prefix)
_VERSION = f"python3.{sys.version_info.minor}"
_BASH = Path("/bin/bash").resolve()
"""Agents run commands with it."""
_LEFT_OUT = re.compile(
    r"(^|/)(__pycache__|site-packages|test|tests|idlelib|tkinter|turtledemo|config-[^/]*)(/|$)"
)
_DIRECTORIES = ("bin", "dev", "etc", "proc", "root", "sys", "usr/local/bin", "var/lib")
_GLIBC = (
    "libdl.so.2",
    "libm.so.6",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libutil.so.1",
)
_PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
_GROUP = "root:x:0:\nnogroup:x:65534:\n"


@cache
def base_image_archive() -> bytes:
    """A root file system for `docker import`: sh, bash and the usual programs, Python with ssl, sqlite and venv.

    Python is under /usr/local, found without any variable.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in _DIRECTORIES:
            _add_directory(tar, name, 0o755)
        _add_directory(tar, "tmp", 0o1777)
        _add_text(tar, "etc/passwd", _PASSWD)
        _add_text(tar, "etc/group", _GROUP)
        _add_busybox(tar)
        tar.add(_BASH, "bin/bash")
        _add_python(tar)
    return buffer.getvalue()


def shell_archive() -> bytes:
    """A root file system with sh and the usual programs, and nothing else."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in _DIRECTORIES:
            _add_directory(tar, name, 0o755)
        _add_directory(tar, "tmp", 0o1777)
        _add_text(tar, "etc/passwd", _PASSWD)
        _add_text(tar, "etc/group", _GROUP)
        _add_busybox(tar)
    return buffer.getvalue()


def program_mounts(name: str) -> dict[str, str]:
    """A program of this machine and its libraries, to mount into a container of the base image."""
    program = Path(subprocess.check_output(["which", name], text=True).strip())
    return {os.path.realpath(path): f"{path}:ro" for path in (program, *_libraries({program}))}


def _add_busybox(tar: tarfile.TarFile) -> None:
    program = subprocess.check_output(["which", "busybox"], text=True).strip()
    tar.add(os.path.realpath(program), "bin/busybox")
    for name in subprocess.check_output([program, "--list"], text=True).split():
        if name != "busybox":
            _add_link(tar, f"bin/{name}", "busybox")


def _add_python(tar: tarfile.TarFile) -> None:
    program = _BASE / "bin" / _VERSION
    tar.add(program.resolve(), f"usr/local/bin/{_VERSION}")
    for name in ("python3", "python"):
        _add_link(tar, f"usr/local/bin/{name}", _VERSION)
    library = Path(os.__file__).parent
    tar.add(library, f"usr/local/lib/{_VERSION}", filter=_without_extras)
    # Also what compiled wheels want of a usual system.
    wheels = Path(sysconfig.get_path("platlib")).rglob("*.so")
    needed = {program.resolve(), _BASH, *library.glob("lib-dynload/*.so"), *wheels}
    found = set(_libraries(needed))
    # The rest of glibc, which programs that were built for an older one ask for.
    directory = Path(next(path for path in found if path.endswith("/libc.so.6"))).parent
    found |= {str(path) for name in _GLIBC if (path := directory / name).exists()}
    for path in sorted(found):
        # Where the loader looks: a Python that was built elsewhere asks for its library by its old path.
        tar.add(os.path.realpath(path), path.lstrip("/"))


def _libraries(programs: set[Path]) -> Iterator[str]:
    for program in programs:
        said = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        yield from re.findall(r"(/\S+\.so\S*)", said)


def _without_extras(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    entry.uid = entry.gid = 0
    return None if _LEFT_OUT.search(entry.name) else entry


def _add_directory(tar: tarfile.TarFile, name: str, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(text), 0o644
    tar.addfile(entry, io.BytesIO(text.encode()))


def _add_link(tar: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)
