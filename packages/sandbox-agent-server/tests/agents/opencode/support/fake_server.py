"""A program that serves as OpenCode does. A prompt is JSON and says what happens: `events` are told, in
one write, `status` answers it, `exits` ends the program.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

ANSWERS: dict[str, Any] = {
    "/agent": [{"name": "build", "mode": "primary"}],
    "/config/providers": {"providers": [{"id": "p", "models": {"m": {"name": "M"}}}]},
    "/command": [{"name": "init"}],
    "/config": {},
    "/session": {"id": "ses_1"},
    "/session/status": {"ses_1": {"type": "busy"}},
}


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
    path = head.split()[1].partition("?")[0]
    length = int(head.partition("content-length:")[2].split()[0])
    body = json.loads(await reader.readexactly(length) or b"{}")
    if path == "/event":
        told.append(writer)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        return
    status, answer = 200, ANSWERS.get(path)
    if path == "/session/ses_1/prompt_async":
        script = json.loads(body["parts"][0]["text"])
        told[0].write("".join(f"data: {event}\n\n" for event in script["events"]).encode())
        await told[0].drain()
        if script.get("exits"):
            os._exit(3)
        status, answer = script.get("status", 200), {"message": "it says no"}
    content = b"" if answer is None else json.dumps(answer).encode()
    writer.write(
        f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content
    )
    writer.close()


async def main() -> None:
    Path(os.environ["BUN_TMPDIR"], ".library.so").touch()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"listening on http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    told: list[asyncio.StreamWriter] = []
    asyncio.run(main())
