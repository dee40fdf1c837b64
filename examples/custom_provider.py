"""A sandbox provider of your own. This one's sandbox is a private directory of this machine.

Say how to run a script and write a file in your sandbox (the machine), and `provision` puts the server
there. `docs/providers/custom.md` explains it.
"""

import asyncio
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from sandbox_agent_client import Endpoint, SandboxAgent, SandboxNotFound, SandboxRef, SandboxSpec
from sandbox_agent_core.provisioning import (
    CommandResult,
    ServerLayout,
    detached,
    provision,
    read_token,
)


class Directory:
    """The machine: three methods."""

    def __init__(self, home: str) -> None:
        self.env = {"HOME": home, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}

    async def run(self, script: str, *, timeout_s: float) -> CommandResult:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", script, env=self.env, stdout=pipe, stderr=pipe
        )
        out, err = await asyncio.wait_for(process.communicate(), timeout_s)
        return CommandResult(process.returncode or 0, out.decode(), err.decode())

    async def write(self, path: str, content: bytes, *, mode: int = 0o600) -> None:
        Path(path).touch(mode=mode)
        Path(path).write_bytes(content)

    async def spawn(self, script: str) -> None:
        await self.run(detached(script), timeout_s=10)


class DirectoryProvider:
    """The provider: three methods, too."""

    name = "directory"

    async def create(self, spec: SandboxSpec) -> SandboxRef:
        home = tempfile.mkdtemp(prefix="sandbox-")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        ref = SandboxRef(provider=self.name, id=home, metadata={"port": port})
        try:
            await provision(Directory(home), spec, ServerLayout(home), port=port, host="127.0.0.1")
        except BaseException:  # a cancellation, too: leave nothing behind
            await self.destroy(ref)
            raise
        return ref

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        if not Path(ref.id, ".sandbox-agent").is_dir():
            raise SandboxNotFound(f"There is no sandbox {ref.id!r}.", provider=self.name)
        token = await read_token(Directory(ref.id), ServerLayout(ref.id))
        return Endpoint(url=f"http://127.0.0.1:{ref.metadata['port']}", token=token)

    async def destroy(self, ref: SandboxRef) -> None:
        if Path(ref.id, ".sandbox-agent").is_dir():
            stop = (
                f"pid=$(cat '{ServerLayout(ref.id).pid}') && kill $pid && "
                "while ps -o stat= -p $pid | grep -q '^[^Z]'; do sleep 0.05; done"
            )
            await Directory(ref.id).run(stop, timeout_s=10)  # until it writes no more files
            shutil.rmtree(ref.id, ignore_errors=True)


async def main() -> None:
    async with SandboxAgent.start(DirectoryProvider(), report=print) as client:
        session = await client.create_session(agent="mock")
        print((await session.prompt("text Hello from a sandbox of my own")).text)


if __name__ == "__main__":
    asyncio.run(main())
