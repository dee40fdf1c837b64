"""Unpacks a program that its package holds compressed with Brotli. Node.js can; Python has no such module."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import InstallFailed

from sandbox_agent_server.install.node import NodeTools
from sandbox_agent_server.runtime.children import the_children

__all__ = ["UNPACK_TIMEOUT_S", "unpack_brotli"]

UNPACK_TIMEOUT_S: Final = 300.0
_SCRIPT: Final = (
    "const [from, to, most] = process.argv.slice(1); const fs = require('fs');"
    "const packed = fs.readFileSync(from);"
    "fs.writeFileSync(to, require('zlib').brotliDecompressSync(packed, {maxOutputLength: +most}));"
)


def unpack_brotli(packed: Path, *, tools: NodeTools, max_bytes: int) -> Path:
    """The program beside it, under the name without `.br`; the packed one is gone.

    Raises:
        InstallFailed: it is damaged, or larger than `max_bytes`.
    """
    program = packed.with_suffix("")
    command = [str(tools.node), "-e", _SCRIPT, "--", str(packed), str(program), str(max_bytes)]
    try:
        node = the_children.start(
            lambda: subprocess.Popen(  # noqa: S603 - our script
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        )
    except OSError as exc:
        raise InstallFailed(f"{tools.node} cannot be run: {exc}") from exc
    try:
        _, said = node.communicate(timeout=UNPACK_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        node.kill()
        node.communicate()
        raise InstallFailed(
            f"{packed.name} was not unpacked within {UNPACK_TIMEOUT_S:g} s.",
            limit="UNPACK_TIMEOUT_S",
        ) from None
    if node.returncode != 0:
        raise InstallFailed(
            f"{packed.name} is damaged, or unpacks to more than {max_bytes} bytes.",
            stderr=said.decode("utf-8", "replace")[-2000:],
        )
    packed.unlink()
    return program
