"""The agent of the guide, in a server that is configured as the guide says."""

from __future__ import annotations

import sys
from pathlib import Path

from support.server import ServerProcess

AGENT = Path(__file__).resolve().parents[2] / "examples" / "custom_agent" / "agent.py"


def test_a_small_acp_program_is_an_agent_with_tools_and_a_memory(tmp_path: Path) -> None:
    config = f'[agents.counter]\ncommand = ["{sys.executable}", "{AGENT}"]\n'
    server = ServerProcess(tmp_path, config=config).start()
    try:
        session = server.create("counter")
        assert server.prompt(session, "How many words are these?")["stopReason"] == "end_turn"
        server.prompt(session, "And now?")
        said = [event["data"]["text"] for event in server.events(session, "message.completed")]
        assert said == ["5 words, 5 in all.", "2 words, 7 in all."]
        assert len(server.events(session, "tool.completed")) == 2
    finally:
        server.stop()
