"""What the known agents are given of a session's environment, and what is added to it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sandbox_agent_core.spi.agent import AgentDefinition
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.agents.known.copilot import _environment as copilot

KNOWN = (
    "auggie", "cline", "copilot", "cursor", "droid", "fast-agent", "gemini", "grok", "kilo", "kimi", "opencode",
    "qoder", "qwen", "vibe",
)  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_every_known_agent_says_how_to_get_and_to_log_in_to_it(name: str) -> None:
    definition: AgentDefinition = Catalog().get(name)

    assert definition.name == name
    assert definition.find({"PATH": ""}) is None
    assert definition.install_hint.endswith(".")
    assert definition.login_hint.endswith(".")


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, {}),
        ({"OPENAI_API_KEY": "k"}, {}),
        (
            {"OPENAI_BASE_URL": "http://gw/v1", "OPENAI_API_KEY": "k"},
            {"BASE_URL": "http://gw/v1", "TYPE": "openai", "API_KEY": "k"},
        ),
        (
            {"ANTHROPIC_BASE_URL": "http://gw", "ANTHROPIC_API_KEY": "k"},
            {"BASE_URL": "http://gw", "TYPE": "anthropic", "API_KEY": "k"},
        ),
        (
            {"COPILOT_PROVIDER_BASE_URL": "http://own", "OPENAI_BASE_URL": "http://gw/v1"},
            {"BASE_URL": "http://own"},
        ),
    ],
)
def test_copilot_is_told_of_a_gateway_in_its_own_words(
    env: Mapping[str, str], expected: Mapping[str, str]
) -> None:
    prefix = "COPILOT_PROVIDER_"
    made = copilot(env)

    assert {
        name.removeprefix(prefix): value for name, value in made.items() if name.startswith(prefix)
    } == expected
