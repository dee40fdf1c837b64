"""What a thread is made of: parameters, provider, settings, modes. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from codex_replay import MODELS, THREAD
from sandbox_agent_core.frames import acp
from sandbox_agent_server.agents.codex.content import prompt_input
from sandbox_agent_server.agents.codex.launch import PROVIDER, command_line, provider_settings
from sandbox_agent_server.agents.codex.offers import Offers
from sandbox_agent_server.agents.codex.opening import NoCredentials, Opening, mcp_settings
from sandbox_agent_server.agents.codex.settings import settings_of
from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.session_params import SessionParams, read_mcp_servers

NO_LOGIN = {"account": None, "requiresOpenaiAuth": True}
LOGIN = {"account": {"type": "chatgpt"}, "requiresOpenaiAuth": True}
KEY = {"OPENAI_API_KEY": "sk-x"}


def opening(
    account: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    **params: Any,
) -> Opening:
    wanted = SessionParams.read(params, is_resumed="sessionId" in params, cwd=Path("/repo"))
    told = {"account/read": account or NO_LOGIN, "config/read": {"config": config or {}}}
    return Opening(wanted, told=told)


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
    with pytest.raises(NoCredentials, match="OPENAI_API_KEY"):
        opening().thread_request({})
    opening(LOGIN).thread_request({})
    opening().thread_request({"CODEX_ACCESS_TOKEN": "token"})
    opening().thread_request(KEY)


def test_what_the_configuration_adds_comes_last_on_the_command_line() -> None:
    argv = command_line(["codex"], extra=["-c", "features.plugins=true"])

    assert argv[:2] == ["codex", "app-server"]
    assert argv.index("features.plugins=false") < argv.index("features.plugins=true")


# The thread


def test_a_new_thread_asks_unless_the_configuration_says_otherwise() -> None:
    method, params = opening().thread_request(KEY)
    _, configured = opening(config={"sandbox_mode": "read-only"}).thread_request(KEY)

    assert method == "thread/start"
    assert (params["approvalPolicy"], params["sandbox"]) == ("untrusted", "workspace-write")
    assert "approvalPolicy" not in configured
    assert "sandbox" not in configured


def test_an_earlier_thread_is_resumed_without_its_turns() -> None:
    id = "01a20691-0000-7801-a9e0-a57b2622c9dd"

    method, params = opening(sessionId=id).thread_request(KEY)

    assert method == "thread/resume"
    assert (params["threadId"], params["excludeTurns"]) == (id, True)


def test_the_system_prompt_comes_after_that_of_the_configuration() -> None:
    config = {"developer_instructions": "Be brief."}

    _, params = opening(config=config, _meta={"systemPrompt": "Rhyme."}).thread_request(KEY)

    assert params["developerInstructions"] == "Be brief.\n\nRhyme."


def test_directories_are_writable_beside_those_of_the_configuration() -> None:
    config = {"sandbox_workspace_write": {"writable_roots": ["/cache"], "network_access": True}}
    opened = opening(config=config, additionalDirectories=["/data"])
    opened.thread = THREAD

    _, params = opened.thread_request(KEY)
    policy = opened.offers(()).mode_change("auto")["sandboxPolicy"]

    assert params["config"]["sandbox_workspace_write.writable_roots"] == ["/cache", "/data"]
    assert policy["writableRoots"] == ["/cache", "/data"]
    assert policy["networkAccess"] is True


def test_mcp_servers_become_settings_in_the_band() -> None:
    settings = mcp_settings(
        read_mcp_servers(
            [
                {
                    "name": "a.b",
                    "command": "x",
                    "args": ["y"],
                    "env": [{"name": "K", "value": "V"}],
                },
                {"name": "web", "type": "http", "url": "http://w", "headers": {"H": "1"}},
            ]
        )
    )

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
        SessionParams.read(params, is_resumed="sessionId" in params, cwd=Path("/repo"))


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


def test_the_effort_in_force_is_the_models_own_until_another_is_set() -> None:
    offered = offers()
    assert offered.effort == "low"

    assert offered.apply({"effort": "high"})

    assert offered.effort == "high"
    assert offered.config_options()[2]["currentValue"] == "high"


def test_another_model_gets_an_effort_that_it_has() -> None:
    offered = offers(reasoningEffort="high")

    change = settings_of(acp.SESSION_SET_MODEL, {"modelId": "luna"}, offered)

    assert change == {"model": "luna", "effort": "medium"}


def test_a_model_that_codex_does_not_know_can_be_set_and_is_listed_then() -> None:
    offered = offers()

    offered.apply(
        settings_of(acp.SESSION_SET_CONFIG_OPTION, {"configId": "model", "value": "mine"}, offered)
    )

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

    change = settings_of(acp.SESSION_SET_MODE, {"modeId": mode}, offered)
    offered.apply(change)

    assert change["approvalPolicy"] == approval
    assert change["sandboxPolicy"]["type"] == sandbox
    assert change["collaborationMode"]["mode"] == collaboration
    assert offered.mode == mode


def test_the_mode_of_the_configuration_can_come_back() -> None:
    offered = offers(approvalPolicy="never", sandbox={"type": "readOnly", "networkAccess": True})
    offered.apply(settings_of(acp.SESSION_SET_MODE, {"modeId": "plan"}, offered))

    change = settings_of(acp.SESSION_SET_MODE, {"modeId": "custom"}, offered)
    offered.apply(change)

    assert change["sandboxPolicy"] == {"type": "readOnly", "networkAccess": True}
    assert change["collaborationMode"]["mode"] == "default"
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
        settings_of(method, params, offers())
