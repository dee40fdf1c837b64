"""Options as other products spell them: refused where they are given, with the name that they have here."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_client import SandboxAgent, errors
from sandbox_agent_client.sandboxes.plugins import find_provider

CLOUDS = ("e2b", "daytona", "modal", "vercel")
TOKENS = {"vercel": {"token": "t", "team_id": "t", "project_id": "p"}}


@pytest.mark.parametrize("name", ["local", "docker", *CLOUDS, "cloudflare"])
@pytest.mark.parametrize("spelling", ["envs", "envVars", "env_vars", "environment"])
def test_variables_are_env_whatever_they_are_called(name: str, spelling: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=r'Use `env=\{"NAME": "value"\}`'):
        find_provider(name, {spelling: {"K": "v"}})


@pytest.mark.parametrize("name", ["docker", *CLOUDS])
def test_a_create_is_told_where_its_parts_go(name: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"`create_options`; variables are in `env="):
        find_provider(name, {"create": {"envs": {"K": "v"}}})


@pytest.mark.parametrize("name", ["local", "docker", *CLOUDS, "cloudflare"])
@pytest.mark.parametrize("env", [["K=v"], "K=v", {"K": 1}], ids=str)
async def test_env_is_a_table_of_text(name: str, env: Any) -> None:
    with pytest.raises(errors.InvalidRequest, match="`env`"):
        find_provider(name, {"env": env})
    with pytest.raises(errors.InvalidRequest, match="`env`"):
        await SandboxAgent.start(name, env=env)


@pytest.mark.parametrize("name", ["docker", *CLOUDS])
def test_what_the_sdk_does_not_take_is_refused_by_the_constructor(name: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"no `envVars`. Use `env="):
        find_provider(name, {"create_options": {"envVars": {"K": "v"}}})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("e2b", {"envs": {"K": "v"}, "request_timeout": 5}),
        ("daytona", {"env_vars": {"K": "v"}}),
        ("modal", {"cloud": "aws", "env": {"K": "v"}}),
        ("vercel", {"env": {"K": "v"}}),
        ("docker", {"environment": {"K": "v"}, "ports": {}, "dns": ["1.1.1.1"]}),
    ],
)
def test_what_the_sdk_takes_passes(name: str, options: dict[str, Any]) -> None:
    assert find_provider(name, {"create_options": options, **TOKENS.get(name, {})})


@pytest.mark.parametrize(
    "options", [{"secrets": {"K": "v"}}, {"create_options": {"secrets": {"K": "v"}}}], ids=str
)
def test_secrets_of_modal_are_no_table(options: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest, match="`env="):
        find_provider("modal", options)


def test_a_slip_is_answered_with_what_was_meant() -> None:
    with pytest.raises(errors.InvalidRequest, match="Did you mean `memory`"):
        find_provider("docker", {"memroy": "4g"})
    with pytest.raises(errors.InvalidRequest, match="Use `lifetime`"):
        find_provider("e2b", {"timeoutMs": 5})


async def test_one_agent_is_a_list_too() -> None:
    with pytest.raises(errors.InvalidRequest, match=r"agents=\['claude'\]"):
        await SandboxAgent.start("local", agents="claude")
