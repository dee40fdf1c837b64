"""A program that is packed with Brotli, as Grok's is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from sandbox_agent_core.errors import InstallFailed
from sandbox_agent_server.install.brotli import unpack_brotli
from sandbox_agent_server.install.node import NodeTools
from support.optional import skip_without

PACK = "fs.writeFileSync(process.argv[1], zlib.brotliCompressSync('x'.repeat(1000)))"


@pytest.fixture
def tools() -> NodeTools:
    node = shutil.which("node")
    if node is None:
        skip_without("there is no Node.js here")
    return NodeTools(Path(node), ())


@pytest.fixture
def packed(tools: NodeTools, tmp_path: Path) -> Path:
    path = tmp_path / "program.br"
    subprocess.run([tools.node, "-e", PACK, "--", path], check=True, timeout=60)
    return path


def test_the_program_takes_the_place_of_what_was_packed(tools: NodeTools, packed: Path) -> None:
    program = unpack_brotli(packed, tools=tools, max_bytes=1000)

    assert program == packed.with_name("program")
    assert program.read_bytes() == b"x" * 1000
    assert not packed.exists()


def test_one_that_is_damaged_or_too_large_is_refused(tools: NodeTools, packed: Path) -> None:
    with pytest.raises(InstallFailed, match="999 bytes"):
        unpack_brotli(packed, tools=tools, max_bytes=999)
    packed.write_bytes(b"no Brotli")
    with pytest.raises(InstallFailed, match="damaged"):
        unpack_brotli(packed, tools=tools, max_bytes=1000)
