"""Decide what an agent may do: look at each request, allow it or not.

Every decision is on record with who made it. Nobody's silence is a yes: a request that is not
answered is refused when its time is over.
"""

import asyncio

from sandbox_agent_client import PermissionRequest, PermissionResolved, SandboxAgent

HARMLESS = {"ls", "cat", "touch"}
seen: set[str] = set()


async def decide(request: PermissionRequest) -> None:
    command = request.command or ""
    program = command.partition(" ")[0]
    if program in HARMLESS and command not in seen:
        seen.add(command)
        print(f"allowing {command!r}")
        await request.allow_once()
    else:
        print(f"refusing {command!r}")
        await request.reject()


async def main() -> None:
    async with SandboxAgent.start(sandbox="local") as client:
        session = await client.create_session(agent="mock")
        session.on_permission(decide)
        for prompt in ("permission Make a file", "permission Make it again"):
            print((await session.prompt(prompt)).text)
        async for event in session.events():
            if isinstance(event, PermissionResolved):
                print(f"on record: {event.option_name}, decided by {event.decided_by}")


asyncio.run(main())
