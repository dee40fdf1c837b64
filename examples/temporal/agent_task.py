"""The workflow: a task for an agent, in a sandbox that is gone afterwards. Temporal runs this file in a sandbox of its own,
so it knows nothing of ours: whatever reaches out is an activity, and is called by its name."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy


@dataclass
class Task:
    prompt: str
    agent: str = "mock"
    sandbox: str = "local"
    """A provider, as of `SandboxAgent.start`."""
    heartbeat_s: float = 30.0
    """A worker that was not heard for so long is dead, and its work goes on with another."""


@dataclass
class Outcome:
    """Ids and a few words: the transcript is in the store, and would not fit."""

    session_id: str
    turn_id: str
    stop_reason: str
    text: str
    cost_usd: float | None = None


@workflow.defn
class AgentTask:
    @workflow.run
    async def run(self, task: Task) -> Outcome:
        try:
            return await workflow.execute_activity(
                "work",
                task,
                result_type=Outcome,
                start_to_close_timeout=timedelta(hours=12),
                heartbeat_timeout=timedelta(seconds=task.heartbeat_s),
                retry_policy=RetryPolicy(maximum_attempts=5),
                # Or the clean-up might come before the sandbox that it is for.
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
        finally:
            await workflow.execute_activity(
                "clean_up", task, start_to_close_timeout=timedelta(minutes=5)
            )
