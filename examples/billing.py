"""What each tenant's turns cost, from one stream over all sessions. Here two sessions are made to have something to bill."""

import asyncio
from collections import Counter

from sandbox_agent_client import SandboxAgent, TurnEnded


async def bill(client: SandboxAgent, cursor: str, turns: int) -> tuple[Counter[str], str]:
    """Tokens by tenant of so many turns behind the cursor, and the cursor to keep for the next time."""
    used: Counter[str] = Counter()
    tenants: dict[str, str] = {}
    stream = client.events(after=cursor, types=["turn.ended"])
    async for event in stream:
        if event.session_id not in tenants:
            session = await client.get_session(event.session_id)
            tenants[event.session_id] = session.info.metadata.get("tenant", "nobody")
        if isinstance(event, TurnEnded) and event.usage is not None:
            used[tenants[event.session_id]] += event.usage.total_tokens or 0
        turns -= 1
        if not turns:
            break
    return used, stream.cursor or cursor


async def main() -> None:
    async with SandboxAgent.start("local") as client:
        for tenant, prompts in {"acme": 2, "globex": 1}.items():
            session = await client.create_session("mock", metadata={"tenant": tenant})
            for _ in range(prompts):
                await session.prompt("text Something that costs")
        used, cursor = await bill(client, cursor="0", turns=3)
        print(dict(used), "and on from", cursor)


asyncio.run(main())
