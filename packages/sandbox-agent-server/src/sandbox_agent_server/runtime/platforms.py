"""What this machine runs: operating system, processor, C library; and whether a program is for it."""

from __future__ import annotations

import functools
import platform
import sys
from pathlib import Path
from typing import Final, Literal

__all__ = ["describe_foreign_program", "is_elf", "this_platform"]

_MACHINES: Final = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_ELF_MACHINES: Final = {0x03: "x86", 0x28: "arm", 0x3E: "x64", 0xB7: "arm64", 0xF3: "riscv64"}
_HEAD_BYTES: Final = 64
_ELF_MAGIC: Final = b"\x7fELF"
_ELF_MACHINE_AT: Final = 18
_MACH_O_CPUS: Final = {0x01000007: "x64", 0x0100000C: "arm64"}
_MACH_O_MAGIC: Final = b"\xcf\xfa\xed\xfe"


@functools.cache
def this_platform() -> str:
    """`linux-x64`, `linux-arm64-musl`, `darwin-arm64`, …"""
    machine = platform.machine().lower()
    name = f"{sys.platform}-{_MACHINES.get(machine, machine)}"
    return f"{name}-musl" if sys.platform == "linux" and _has_only_musl() else name


def describe_foreign_program(path: Path) -> str | None:
    """`linux-arm64`, when that is what the program is for and this machine is another; else None.

    Scripts and formats that we do not know are left to the kernel.
    """
    made_for = _platform_of(_head(path))
    here = this_platform().removesuffix("-musl")
    return made_for if made_for is not None and made_for != here else None


def is_elf(path: Path) -> bool:
    return _head(path).startswith(_ELF_MAGIC)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""


def _platform_of(head: bytes) -> str | None:
    if head.startswith(_ELF_MAGIC) and len(head) > _ELF_MACHINE_AT + 1:
        order: Literal["big", "little"] = "big" if head[5] == 2 else "little"
        machine = int.from_bytes(head[_ELF_MACHINE_AT : _ELF_MACHINE_AT + 2], order)
        return f"linux-{_ELF_MACHINES.get(machine, hex(machine))}"
    if head.startswith(_MACH_O_MAGIC):
        cpu = int.from_bytes(head[4:8], "little")
        return f"darwin-{_MACH_O_CPUS.get(cpu, hex(cpu))}"
    if head.startswith(b"MZ"):
        return "windows"
    return None


def _has_only_musl() -> bool:
    if platform.libc_ver()[0] == "glibc":
        return False
    # Python itself may be linked statically; then the loader tells.
    return any(Path("/lib").glob("ld-musl-*.so.1"))
