"""The same session in any sandbox: python sandboxes.py [local|docker|e2b|…] [agent]

A cloud needs its package (`pip install sandbox-agent-e2b`) and its key; `sandbox-agent sandboxes check` says what is
missing. An agent that is not in the sandbox's image is installed while the sandbox is made.
"""

import asyncio
import sys

from sandbox_agent_client import SandboxAgent


async def main(sandbox: str = "local", agent: str = "mock") -> None:
    agents = [] if agent == "mock" else [agent]
    async with SandboxAgent.start(sandbox, agents=agents, report=print) as client:
        session = await client.create_session(agent, mode="accept-edits")
        result = await session.prompt("text What is in this directory?")
        print(result.text)


asyncio.run(main(*sys.argv[1:]))
