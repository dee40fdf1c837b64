"""A provider whose sandboxes are directories of a machine that you reach by ssh. Your keys and `~/.ssh/config` count.

python provider.py HOST     starts a sandbox there, has the mock agent say something, and removes it
"""

import asyncio
import secrets
import shlex
import socket
import subprocess
import sys
from collections.abc import Sequence

from sandbox_agent_client import Endpoint, SandboxAgent, SandboxRef, SandboxSpec, errors
from sandbox_agent_core.provisioning import (
    CommandResult,
    ServerLayout,
    detached,
    ensure_running,
    find_home,
    free_port,
    provision,
    read_token,
    tail_log,
)


class SshMachine:
    """Scripts and files over ssh."""

    def __init__(self, host: str, options: Sequence[str] = ()) -> None:
        self.ssh = ["ssh", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15", *options, host]

    async def run(self, script: str, *, timeout_s: float, stdin: bytes = b"") -> CommandResult:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self.ssh, f"sh -c {shlex.quote(script)}", stdin=pipe, stdout=pipe, stderr=pipe
        )
        try:
            async with asyncio.timeout(timeout_s):
                out, err = await process.communicate(stdin)
        except TimeoutError as exc:
            raise errors.ProviderTimeout(f"ssh took longer than {timeout_s:g} s") from exc
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode == 255:  # ssh's own; a script's are passed on
            raise errors.ProviderUnavailable(f"ssh: {err.decode().strip()}", provider="ssh")
        return CommandResult(process.returncode or 0, out.decode(), err.decode())

    async def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        file = shlex.quote(path)
        script = f"umask 077 && cat > {file} && chmod {mode:o} {file}"
        done = await self.run(script, timeout_s=300, stdin=content)
        if done.exit_code != 0:
            raise errors.ProviderError(f"{path} cannot be written: {done.output}", provider="ssh")

    async def spawn(self, script: str) -> None:
        await self.run(detached(script), timeout_s=30)


class Tunnel:
    """A port of this machine that leads to one of the other; it ends with this process, however that ends."""

    def __init__(self, machine: SshMachine, port: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        forward = f"{self.port}:127.0.0.1:{port}"
        self._process = subprocess.Popen(
            # `cat` sees the end of its input when nobody holds the other end of the pipe any more.
            [*machine.ssh[:-1], "-o", "ExitOnForwardFailure=yes", "-L", forward, machine.ssh[-1], "echo up; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip

    async def opened(self) -> "Tunnel":
        assert self._process.stdout
        assert self._process.stderr
        if not await asyncio.to_thread(self._process.stdout.readline):
            said = self._process.stderr.read().decode().strip()
            self.close()
            raise errors.ProviderUnavailable(f"ssh: {said}", provider="ssh")
        return self

    @property
    def is_open(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._process.terminate()
        self._process.communicate()


class SshProvider:
    name = "ssh"

    def __init__(self, host: str, *, options: Sequence[str] = ()) -> None:
        self.machine = SshMachine(host, options)
        self._tunnels: dict[str, Tunnel] = {}

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        home = f"{await find_home(self.machine)}/sandbox-{secrets.token_hex(4)}"
        port = await free_port(self.machine)
        ref = SandboxRef(provider=self.name, id=home, metadata={"port": port})
        try:
            spec.report("making the directory")
            await self.machine.run(f"mkdir -m 700 {shlex.quote(home)}", timeout_s=30)
            layout = ServerLayout(home)
            await provision(self.machine, spec, layout, port=port, host="127.0.0.1", cwd=home)
        except BaseException:  # a cancellation, too: leave nothing behind
            await self.destroy(ref)
            raise
        return ref

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        """Asked again when the connection is lost: then the tunnel may be gone, too."""
        there = await self.machine.run(
            f"test -d {shlex.quote(ref.id)}/.sandbox-agent", timeout_s=30
        )
        if there.exit_code != 0:
            raise errors.SandboxNotFound(f"There is no sandbox {ref.id!r}.", provider=self.name)
        tunnel = self._tunnels.get(ref.id)
        if tunnel is None or not tunnel.is_open:
            self._close(ref)
            tunnel = self._tunnels[ref.id] = await Tunnel(
                self.machine, ref.metadata["port"]
            ).opened()
        token = await read_token(self.machine, ServerLayout(ref.id))
        return Endpoint(url=f"http://127.0.0.1:{tunnel.port}", token=token)

    async def ensure_server(self, ref: SandboxRef) -> None:
        await ensure_running(self.machine, ServerLayout(ref.id))

    async def logs(self, ref: SandboxRef, *, tail: int = 200) -> str:
        return await tail_log(self.machine, ServerLayout(ref.id), tail=tail)

    async def destroy(self, ref: SandboxRef) -> None:
        self._close(ref)
        pid, home = shlex.quote(ServerLayout(ref.id).pid), shlex.quote(ref.id)
        ended = f"pid=$(cat {pid}) && kill $pid && while kill -0 $pid; do sleep 0.1; done"
        await self.machine.run(f"{{ {ended}; }} 2>/dev/null; rm -rf {home}", timeout_s=60)

    def _close(self, ref: SandboxRef) -> None:
        if tunnel := self._tunnels.pop(ref.id, None):
            tunnel.close()


async def main(host: str) -> None:
    async with SandboxAgent.start(SshProvider(host), report=print) as client:
        session = await client.create_session("mock")
        print((await session.prompt("Hello from the other machine")).text)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
