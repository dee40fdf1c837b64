"""Commands in a Pod, over the WebSocket protocol that kubelets speak: each frame begins with the number of its channel.

Not the client library's `stream()`: it exchanges a method of the shared client for the time of a call, so that requests of
other threads become handshakes; a command that cannot be started is a KeyError; and nothing keeps a silent stream alive.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from sandbox_agent_core.errors import ProviderError
from sandbox_agent_core.provisioning import CommandResult

from sandbox_agent_kubernetes.cluster import Cluster
from sandbox_agent_kubernetes.errors import PROVIDER

__all__ = ["execute"]

PIECE_BYTES: Final = 128 * 1024
"""Of stdin in one frame."""
_PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDIN, _STDOUT, _STDERR, _STATUS = 0, 1, 2, 3


async def execute(
    cluster: Cluster,
    path: str,
    command: Sequence[str],
    *,
    container: str,
    sandbox: str,
    stdin: bytes = b"",
) -> CommandResult:
    """To its end. `path`: of the Pod's `exec`. The command has to know how much of `stdin` there is: in the older of
    the protocols it cannot be closed.

    Raises:
        SandboxNotFound: the Pod is gone.
        ProviderError: it could not be run, or the connection broke.
    """
    from websockets.exceptions import ConnectionClosed  # noqa: PLC0415 - loaded on first use

    query = [("container", container), ("stdout", "true"), ("stderr", "true")]
    query += [("stdin", "true")] if stdin else []
    query += [("command", word) for word in command]
    said: dict[int, bytearray] = {_STDOUT: bytearray(), _STDERR: bytearray(), _STATUS: bytearray()}
    async with cluster.websocket(path, query, protocols=_PROTOCOLS, sandbox=sandbox) as connection:
        # A command that ends before it has read everything still says why.
        with suppress(ConnectionClosed):
            for start in range(0, len(stdin), PIECE_BYTES):
                await connection.send(bytes((_STDIN,)) + stdin[start : start + PIECE_BYTES])
        async for frame in connection:
            data = frame.encode() if isinstance(frame, str) else frame
            if data and data[0] in said:
                said[data[0]] += data[1:]
    return CommandResult(
        _exit_code(bytes(said[_STATUS]), sandbox),
        said[_STDOUT].decode("utf-8", "replace"),
        said[_STDERR].decode("utf-8", "replace"),
    )


def _exit_code(status: bytes, sandbox: str) -> int:
    """Raises: ProviderError when there is none."""
    if not status:
        raise ProviderError(
            "The connection to a command in the sandbox ended before the command.",
            provider=PROVIDER,
            sandbox=sandbox,
        )
    said: Mapping[str, Any] = json.loads(status)
    if said.get("status") == "Success":
        return 0
    for cause in (said.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise ProviderError(
        f"A command could not be run in the sandbox: {said.get('message')}. The image needs /bin/sh.",
        provider=PROVIDER,
        sandbox=sandbox,
    )
