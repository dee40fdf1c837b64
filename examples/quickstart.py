"""Start a sandbox, give an agent a task, watch it work.

The mock agent needs no key. With Claude Code installed and ANTHROPIC_API_KEY set, try
`agent="claude"`: nothing else changes. (The first word of a prompt tells the mock agent what to do.)
"""

import asyncio

from sandbox_agent_client import MessageDelta, SandboxAgent, ToolCompleted


async def main() -> None:
    async with SandboxAgent.start(sandbox="local") as client:
        session = await client.create_session(agent="mock")
        session.on_permission(lambda request: request.allow_once())
        async for event in session.prompt_stream("tool Look around"):
            match event:
                case MessageDelta(text=text):
                    print(text, end="", flush=True)
                case ToolCompleted(title=title, status=status):
                    print(f"\n[{status}] {title}")
        result = await session.prompt("text Now say something")
        print(f"\n\n{result.text}\n[{result.stop_reason}]")


asyncio.run(main())
