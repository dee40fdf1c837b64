"""A program that this machine cannot run says which machine it is for."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox_agent_server.runtime.errors import ProcessStartFailed
from sandbox_agent_server.runtime.platforms import describe_foreign_program, this_platform
from sandbox_agent_server.runtime.process import Process


def elf(machine: int, *, order: str = "little", rest: bytes = bytes(44)) -> bytes:
    """An ELF header as far as the machine, and what follows."""
    number = machine.to_bytes(2, order)  # type: ignore[arg-type]
    return (
        b"\x7fELF\x02"
        + (b"\x01" if order == "little" else b"\x02")
        + bytes(10)
        + b"\x02\x00"
        + number
        + rest
    )


def program(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "agent"
    path.write_bytes(content)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("content", "made_for"),
    [
        (elf(0xF3), "linux-riscv64"),
        (elf(0x16, order="big"), "linux-0x16"),
        (b"\xcf\xfa\xed\xfe\x0c\x00\x00\x01" + bytes(56), "darwin-arm64"),
        (b"MZ" + bytes(62), "windows"),
        (b"#!/bin/sh\n", None),
        (b"", None),
    ],
)
def test_a_header_tells_the_machine(tmp_path: Path, content: bytes, made_for: str | None) -> None:
    assert describe_foreign_program(program(tmp_path, content)) == made_for


def test_a_program_of_this_machine_is_not_foreign() -> None:
    assert describe_foreign_program(Path("/proc/self/exe")) is None


@pytest.mark.parametrize("by_name", [True, False])
async def test_an_agent_for_another_processor_does_not_start_and_says_why(
    tmp_path: Path, by_name: bool
) -> None:
    path = program(tmp_path, elf(0xF3))
    argv = ["agent" if by_name else str(path)]
    with pytest.raises(ProcessStartFailed) as caught:
        await Process.spawn(argv, cwd=tmp_path, env={"PATH": str(tmp_path)})
    assert "linux-riscv64" in caught.value.message
    assert this_platform() in caught.value.message


async def test_a_file_that_is_no_program_does_not_start_and_says_why(tmp_path: Path) -> None:
    path = program(tmp_path, b"just text")
    with pytest.raises(ProcessStartFailed, match="no program"):
        await Process.spawn([str(path)], cwd=tmp_path, env={})


async def test_a_program_for_another_c_library_says_so(tmp_path: Path) -> None:
    """Of this processor, with a loader that is not here: what a musl program finds on glibc."""
    own = Path("/proc/self/exe").read_bytes()[:20]
    loader = b"/lib/ld-of-nobody.so.1\0"
    header = (
        own[:16] + b"\x02\x00" + own[18:20] + b"\x01\0\0\0" + bytes(8) + (64).to_bytes(8, "little")
    )
    header += (
        bytes(8 + 4)
        + (64).to_bytes(2, "little")
        + (56).to_bytes(2, "little")
        + b"\x01\0"
        + bytes(6)
    )
    entry = b"\x03\0\0\0\x04\0\0\0" + (120).to_bytes(8, "little") + bytes(16)
    entry += len(loader).to_bytes(8, "little") * 2 + (1).to_bytes(8, "little")
    path = program(tmp_path, header + entry + loader + bytes(4096))
    with pytest.raises(ProcessStartFailed, match="C library"):
        await Process.spawn([str(path)], cwd=tmp_path, env={})
