"""The provider over ssh, with a real sshd on loopback."""

from __future__ import annotations

import getpass
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import SandboxAgent, SandboxNotFound
from support.optional import skip_without
from support.ports import free_port
from support.server import DEADLINE_S, until

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ssh" / "provider.py"


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Any]:
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if sshd is None:
        skip_without("there is no sshd: apt-get install openssh-server openssh-client")
    if not Path("/run/sshd").is_dir() and getpass.getuser() == "root":
        Path("/run/sshd").mkdir()
    for name in ("host", "mine"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True
        )
    port = free_port()
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {tmp_path}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {tmp_path}/mine.pub\nStrictModes no\nPermitRootLogin yes\n"
        f"SetEnv HOME={home} PATH={Path(sys.executable).parent}:/usr/bin:/bin\n",
        encoding="utf-8",
    )
    log = tmp_path / "sshd.log"
    with log.open("wb") as out:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", tmp_path / "sshd_config"], stderr=out)
    try:
        until(lambda: "listening" in log.read_text("utf-8") or process.poll() is not None)
        assert process.poll() is None, log.read_text("utf-8")
        options = f"-F none -p {port} -i {tmp_path}/mine -o UserKnownHostsFile=/dev/null "
        options += "-o StrictHostKeyChecking=no -o LogLevel=ERROR"
        yield _example().SshProvider(f"{getpass.getuser()}@127.0.0.1", options=options.split())
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


def _example() -> Any:
    spec = importlib.util.spec_from_file_location("ssh_provider", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_a_sandbox_over_ssh_works_survives_its_tunnel_is_handed_over_and_leaves_nothing(
    provider: Any, tmp_path: Path
) -> None:
    async with SandboxAgent.start(provider, keep=True) as client:
        session = await client.create_session("mock")
        assert (await session.prompt("Hello")).text.endswith("Hello")
        provider._tunnels[client.sandbox_ref.id].close()
        assert (await session.prompt("Again")).text.endswith("Again")
        assert await client.sandbox.logs()
        ref = client.sandbox_ref
    async with SandboxAgent.start(provider, ref=ref, keep=False) as client:
        assert [session.id] == [known.id for known in await client.list_sessions()]
    with pytest.raises(SandboxNotFound):
        await provider.endpoint(ref)
    assert [*(tmp_path / "home").glob("sandbox-*")] == []
