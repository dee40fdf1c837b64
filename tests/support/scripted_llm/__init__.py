"""A model endpoint that answers by script, so that real agents run offline and the same way each time.

It listens on loopback and speaks Anthropic Messages, OpenAI Responses, OpenAI Chat Completions and
Gemini. What it answers is chosen by the last `SCENARIO:<name>` in a user text of the request (the
names are in `scenarios.py`); the step inside a scenario is the number of tool results after it.

    with ScriptedLLM() as llm:
        run_agent(env={"ANTHROPIC_BASE_URL": llm.url}, prompt="SCENARIO:tool")
        assert llm.requests[-1].step == 1
"""

from .request_log import LoggedRequest
from .scenarios import SCENARIOS
from .server import ScriptedLLM

__all__ = ["SCENARIOS", "LoggedRequest", "ScriptedLLM"]
