"""Probes of a container: does it answer?"""

from __future__ import annotations

import asyncio
from typing import Any

from support.kubernetes.containers import Container, NotStarted

__all__ = ["succeeds"]


async def succeeds(container: Container, probe: dict[str, Any]) -> bool:
    """Try it once: `httpGet`, `tcpSocket` or `exec`, within its `timeoutSeconds`."""
    try:
        async with asyncio.timeout(probe.get("timeoutSeconds", 1)):
            return await _try(container, probe)
    except (OSError, TimeoutError, NotStarted, ValueError, IndexError):
        return False


async def _try(container: Container, probe: dict[str, Any]) -> bool:
    if "exec" in probe:
        process = await container.exec(probe["exec"]["command"], has_input=False)
        await process.communicate()
        return process.returncode == 0
    if "tcpSocket" in probe:
        _, writer = await container.connect(int(probe["tcpSocket"]["port"]))
        writer.close()
        return True
    request = probe["httpGet"]
    reader, writer = await container.connect(int(request["port"]))
    try:
        path = request.get("path", "/")
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        status = int((await reader.readline()).split()[1])
        return 200 <= status < 400
    finally:
        writer.close()
