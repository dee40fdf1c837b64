"""A task, and what came of it: python start.py PROMPT [AGENT] [SANDBOX]"""

import asyncio
import os
import sys
from uuid import uuid4

from agent_task import AgentTask, Task
from temporalio.client import Client


async def main(prompt: str, agent: str = "mock", sandbox: str = "local") -> None:
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "127.0.0.1:7233"))
    id = f"agent-task-{uuid4()}"
    task = Task(prompt, agent, sandbox)
    outcome = await client.execute_workflow(AgentTask.run, task, id=id, task_queue="agents")
    print(outcome.session_id, outcome.stop_reason)
    print(outcome.text)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
