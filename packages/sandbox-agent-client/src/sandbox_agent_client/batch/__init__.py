"""Many tasks with several agents, and what came of each: plans, results, engines. Knows no sandbox and no session.

`run_batch` of the package above runs one; here are the values that it takes and gives, and what an engine needs.
"""

from sandbox_agent_client.batch.engine import (
    BatchEvent,
    Budget,
    Engine,
    Results,
    TrialEnded,
    TrialPhase,
    TrialRetried,
    TrialStarted,
)
from sandbox_agent_client.batch.handout import Handout
from sandbox_agent_client.batch.plan import (
    AgentSpec,
    Bounds,
    Grading,
    Plan,
    Retries,
    SandboxChoice,
    Task,
    Trial,
    trials_of,
)
from sandbox_agent_client.batch.result import Grade, TrialResult
from sandbox_agent_client.batch.results import load_plan, load_results
from sandbox_agent_client.batch.summary import AgentSummary, BatchSummary
from sandbox_agent_client.batch.tasks_file import load_tasks

__all__ = [
    "AgentSpec",
    "AgentSummary",
    "BatchEvent",
    "BatchSummary",
    "Bounds",
    "Budget",
    "Engine",
    "Grade",
    "Grading",
    "Handout",
    "Plan",
    "Results",
    "Retries",
    "SandboxChoice",
    "Task",
    "Trial",
    "TrialEnded",
    "TrialPhase",
    "TrialResult",
    "TrialRetried",
    "TrialStarted",
    "load_plan",
    "load_results",
    "load_tasks",
    "trials_of",
]
