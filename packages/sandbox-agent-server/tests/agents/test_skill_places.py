"""Where agents are told of the skills of a session, and MCP servers of what ACP has no word for."""

from __future__ import annotations

import json
from pathlib import Path

from sandbox_agent_core.spi.capabilities import CAPABILITIES_META
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.agents.claude.launch import mcp_config, skills_flag
from sandbox_agent_server.agents.codex.opening import mcp_settings
from sandbox_agent_server.agents.native.session_params import read_mcp_servers
from sandbox_agent_server.agents.opencode.config import config_content
from sandbox_agent_server.agents.opencode.variant import OPENCODE
from sandbox_agent_server.agents.pi.launch import command_line

SKILLS = Path("/session/equipment")


def test_agents_that_load_skills_say_so() -> None:
    catalog = Catalog({})
    takers = {name for name in catalog.names() if catalog.get(name).takes_skills}
    assert takers == {"claude", "codex", "copilot", "kilo", "opencode", "pi"}


def test_each_is_told_in_its_own_way() -> None:
    assert skills_flag(SKILLS) == ["--plugin-dir", "/session/equipment"]
    assert skills_flag(None) == []
    argv = command_line(["pi"], system_prompt=None, skills=SKILLS)
    assert argv[argv.index("--skill") + 1] == "/session/equipment/skills"
    given = {
        "OPENCODE_CONFIG_CONTENT": json.dumps(
            {"skills": {"paths": ["/own"], "urls": ["https://x.test"]}}
        )
    }
    made = json.loads(config_content(OPENCODE, {"HOME": "/nobody", **given}, skills=SKILLS))
    assert made["skills"] == {
        "paths": ["/own", "/session/equipment/skills"],
        "urls": ["https://x.test"],
    }


def test_timeouts_and_logins_of_mcp_servers_reach_those_that_take_them() -> None:
    meta = {CAPABILITIES_META: {"timeoutMs": 1500, "oauth": {"clientId": "id"}}}
    (server,) = read_mcp_servers(
        [{"type": "http", "name": "a", "url": "https://x.test", "headers": [], "_meta": meta}]
    )
    assert mcp_config(server) == {
        "type": "http",
        "url": "https://x.test",
        "headers": {},
        "timeout": 1500,
        "oauth": {"clientId": "id"},
    }
    assert mcp_settings([server])["mcp_servers.a"]["tool_timeout_sec"] == 1.5
