"""One process makes a sandbox and leaves; another takes it over with nothing but a line of JSON."""

import asyncio
import json

from sandbox_agent_client import SandboxAgent


async def make() -> str:
    async with SandboxAgent.start("local", keep=True) as client:
        session = await client.create_session("mock")
        await session.prompt("text Remember the milk")
        assert client.sandbox_ref is not None
        return json.dumps(client.sandbox_ref.to_json())  # holds no secret: store it, send it


async def take_over(line: str) -> None:
    async with SandboxAgent.start(ref=line, keep=False) as client:  # keep=False: gone afterwards
        (session,) = await client.list_sessions()
        transcript = await session.transcript()
        print(f"{session.id} has {len(transcript.turns)} turn and goes on:")
        print((await session.prompt("text And the bread")).text)


asyncio.run(take_over(asyncio.run(make())))
