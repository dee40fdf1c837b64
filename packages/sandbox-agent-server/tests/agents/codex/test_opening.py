"""What a thread is made of: parameters, provider, settings, modes. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from codex_replay import MODELS, THREAD
from sandbox_agent_core.agent_options import CodexOptions
from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.jsonrpc import AUTH_REQUIRED
from sandbox_agent_server.agents.codex.content import prompt_input
from sandbox_agent_server.agents.codex.launch import PROVIDER, command_line, provider_settings
from sandbox_agent_server.agents.codex.offers import Offers
from sandbox_agent_server.agents.codex.opening import mcp_settings, thread_params
from sandbox_agent_server.agents.native.offers import read_setting
from sandbox_agent_server.agents.native.refusals import InvalidParams, Refused
from sandbox_agent_server.agents.native.session_params import SessionParams, read_mcp_servers

NO_LOGIN = {"account": None, "requiresOpenaiAuth": True}
LOGIN = {"account": {"type": "chatgpt"}, "requiresOpenaiAuth": True}
KEY = {"OPENAI_API_KEY": "sk-x"}


def wanted(**params: Any) -> SessionParams:
    return SessionParams.read(params, is_resumed="sessionId" in params, cwd=Path("/repo"))


def thread(
    env: dict[str, str],
    account: dict[str, Any] = NO_LOGIN,
    config: dict[str, Any] | None = None,
    **params: Any,
) -> dict[str, Any]:
    return thread_params(
        wanted(**params),
        account=account,
        configuration=config or {},
        env=env,
        options=CodexOptions(),
    )


# Provider


def test_a_key_in_the_environment_is_a_provider_that_reads_it_there() -> None:
    name, settings = provider_settings(KEY, configured=None, is_logged_in=False)

    assert name == PROVIDER
    assert settings[f"model_providers.{PROVIDER}.env_key"] == "OPENAI_API_KEY"
    assert settings[f"model_providers.{PROVIDER}.base_url"] == "https://api.openai.com/v1"
    assert settings[f"model_providers.{PROVIDER}.name"] == "OpenAI"
    assert "sk-x" not in str(settings)


def test_a_gateway_is_not_taken_for_openai() -> None:
    env = KEY | {"OPENAI_BASE_URL": "https://gateway.test/v1", "CODEX_API_KEY": "sk-y"}

    _, settings = provider_settings(env, configured=None, is_logged_in=True)

    assert settings[f"model_providers.{PROVIDER}.name"] == "gateway.test"
    assert settings[f"model_providers.{PROVIDER}.env_key"] == "CODEX_API_KEY"


@pytest.mark.parametrize(
    ("env", "configured", "is_logged_in", "expected"),
    [
        ({}, None, False, (None, {})),
        (KEY, None, True, (None, {})),
        (KEY | {"OPENAI_BASE_URL": "http://a/v1"}, "own", False, (None, {})),
        (
            {"OPENAI_BASE_URL": "http://a/v1"},
            None,
            True,
            (None, {"openai_base_url": "http://a/v1"}),
        ),
        ({"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}, None, False, (None, {})),
    ],
)
def test_a_login_and_a_configured_provider_are_left_alone(
    env: dict[str, str], configured: str | None, is_logged_in: bool, expected: Any
) -> None:
    assert provider_settings(env, configured=configured, is_logged_in=is_logged_in) == expected


def test_a_gateway_without_a_key_is_enough() -> None:
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}

    name, settings = provider_settings(env, configured=None, is_logged_in=False)

    assert name == PROVIDER
    assert f"model_providers.{PROVIDER}.env_key" not in settings


def test_without_login_and_key_no_thread_is_made() -> None:
    with pytest.raises(Refused, match="OPENAI_API_KEY") as refused:
        thread({})
    assert refused.value.code == AUTH_REQUIRED
    thread({}, LOGIN)
    thread({"CODEX_ACCESS_TOKEN": "token"})
    thread(KEY)


def test_what_the_configuration_adds_comes_last_on_the_command_line() -> None:
    argv = command_line(["codex"], extra=["-c", "features.plugins=true"])

    assert argv[:2] == ["codex", "app-server"]
    assert argv.index("features.plugins=false") < argv.index("features.plugins=true")


# The thread


def test_a_new_thread_asks_unless_the_configuration_says_otherwise() -> None:
    params = thread(KEY)
    configured = thread(KEY, config={"sandbox_mode": "read-only"})

    assert "threadId" not in params
    assert (params["approvalPolicy"], params["sandbox"]) == ("untrusted", "workspace-write")
    assert "approvalPolicy" not in configured
    assert "sandbox" not in configured


def test_an_earlier_thread_is_resumed_without_its_turns() -> None:
    id = "01a20691-0000-7801-a9e0-a57b2622c9dd"

    params = thread(KEY, sessionId=id)

    assert (params["threadId"], params["excludeTurns"]) == (id, True)


def test_the_system_prompt_comes_after_that_of_the_configuration() -> None:
    config = {"developer_instructions": "Be brief."}

    params = thread(KEY, config=config, _meta={"systemPrompt": "Rhyme."})

    assert params["developerInstructions"] == "Be brief.\n\nRhyme."


def test_directories_are_writable_beside_those_of_the_configuration() -> None:
    config = {"sandbox_workspace_write": {"writable_roots": ["/cache"], "network_access": True}}
    workspace = config["sandbox_workspace_write"]

    params = thread(KEY, config=config, additionalDirectories=["/data"])
    offered = Offers(THREAD, MODELS, workspace=workspace, directories=["/data"])
    policy = offered.change("mode", "auto")["sandboxPolicy"]

    assert params["config"]["sandbox_workspace_write.writable_roots"] == ["/cache", "/data"]
    assert policy["writableRoots"] == ["/cache", "/data"]
    assert policy["networkAccess"] is True


def test_mcp_servers_become_settings_in_the_band() -> None:
    servers = [
        {"name": "a.b", "command": "x", "args": ["y"], "env": [{"name": "K", "value": "V"}]},
        {"name": "web", "type": "http", "url": "http://w", "headers": {"H": "1"}},
    ]

    settings = mcp_settings(read_mcp_servers(servers))

    assert settings == {
        "mcp_servers.a_b": {"command": "x", "args": ["y"], "env": {"K": "V"}},
        "mcp_servers.web": {"url": "http://w", "http_headers": {"H": "1"}},
    }


@pytest.mark.parametrize(
    "servers",
    [
        "x",
        [{}],
        [{"name": "", "command": "x"}],
        [{"name": "a", "type": "sse", "url": "http://w"}],
        [{"name": "a.b", "command": "x"}, {"name": "a_b", "command": "x"}],
    ],
)
def test_bad_mcp_servers_are_refused(servers: Any) -> None:
    with pytest.raises(InvalidParams):
        mcp_settings(read_mcp_servers(servers))


@pytest.mark.parametrize(
    "params",
    [{"cwd": "relative"}, {"additionalDirectories": ["x"]}, {"sessionId": "../../etc"}],
)
def test_bad_parameters_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        wanted(**params)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "audio", "data": "AA==", "mimeType": "audio/wav"},
        {"type": "image", "data": "AA==", "mimeType": "image/tiff"},
        {"type": "image"},
        {
            "type": "resource",
            "resource": {"uri": "a", "blob": "AA==", "mimeType": "application/pdf"},
        },
        "text",
    ],
)
def test_content_that_codex_cannot_take_is_refused(block: Any) -> None:
    with pytest.raises(InvalidParams):
        prompt_input([block])


def test_links_and_embedded_files_are_text_for_the_model() -> None:
    given = prompt_input(
        [
            {"type": "resource_link", "uri": "file:///repo/a%20b.py", "name": "a b.py"},
            {"type": "resource", "resource": {"uri": "file:///x", "text": "hello"}},
        ]
    )

    assert [item["text"] for item in given] == [
        "[a b.py](/repo/a b.py)",
        '<context uri="file:///x">\nhello\n</context>',
    ]


# Settings


def offers(**thread: Any) -> Offers:
    return Offers(THREAD | thread, MODELS)


def change(offered: Offers, method: str, **params: Any) -> dict[str, Any]:
    return offered.change(*read_setting(method, params))


def test_the_effort_in_force_is_the_models_own_until_another_is_set() -> None:
    offered = offers()
    assert offered.effort == "low"

    assert offered.apply({"effort": "high"})

    assert offered.effort == "high"
    assert offered.config_options()[2]["currentValue"] == "high"


def test_another_model_gets_an_effort_that_it_has() -> None:
    offered = offers(reasoningEffort="high")

    changed = change(offered, acp.SESSION_SET_MODEL, modelId="luna")

    assert changed == {"model": "luna", "effort": "medium"}


def test_a_model_that_codex_does_not_know_can_be_set_and_is_listed_then() -> None:
    offered = offers()

    offered.apply(change(offered, acp.SESSION_SET_CONFIG_OPTION, configId="model", value="mine"))

    model = offered.config_options()[1]
    assert model["currentValue"] == "mine"
    assert [choice["value"] for choice in model["options"]] == ["sol", "luna", "mine"]
    assert len(offered.config_options()) == 2, "its efforts are not known"


@pytest.mark.parametrize(
    ("mode", "approval", "sandbox", "collaboration"),
    [
        ("untrusted", "untrusted", "workspaceWrite", "default"),
        ("auto", "on-request", "workspaceWrite", "default"),
        ("read-only", "on-request", "readOnly", "default"),
        ("plan", "on-request", "readOnly", "plan"),
        ("full-access", "never", "dangerFullAccess", "default"),
    ],
)
def test_every_mode_is_recognised_by_its_settings(
    mode: str, approval: str, sandbox: str, collaboration: str
) -> None:
    offered = offers(approvalPolicy="never", sandbox={"type": "readOnly"})
    assert offered.mode == "custom"

    changed = change(offered, acp.SESSION_SET_MODE, modeId=mode)
    offered.apply(changed)

    assert changed["approvalPolicy"] == approval
    assert changed["sandboxPolicy"]["type"] == sandbox
    assert changed["collaborationMode"]["mode"] == collaboration
    assert offered.mode == mode


def test_the_mode_of_the_configuration_can_come_back() -> None:
    offered = offers(approvalPolicy="never", sandbox={"type": "readOnly", "networkAccess": True})
    offered.apply(change(offered, acp.SESSION_SET_MODE, modeId="plan"))

    changed = change(offered, acp.SESSION_SET_MODE, modeId="custom")
    offered.apply(changed)

    assert changed["sandboxPolicy"] == {"type": "readOnly", "networkAccess": True}
    assert changed["collaborationMode"]["mode"] == "default"
    assert offered.mode == "custom"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (acp.SESSION_SET_MODE, {"modeId": "custom"}),
        (acp.SESSION_SET_MODE, {"modeId": 3}),
        (acp.SESSION_SET_MODEL, {"modelId": ""}),
        (acp.SESSION_SET_CONFIG_OPTION, {"configId": "effort", "value": "medium"}),
        (acp.SESSION_SET_CONFIG_OPTION, {"configId": "no", "value": "x"}),
    ],
)
def test_a_setting_that_is_not_there_is_refused(method: str, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidParams):
        change(offers(), method, **params)
