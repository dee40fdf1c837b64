from __future__ import annotations

import pytest
from sandbox_agent_server.runtime.environment import build_environment

SERVER = {
    "HOME": "/root",
    "PATH": "/bin",
    "LC_ALL": "C.UTF-8",
    "XDG_CONFIG_HOME": "/home/ada/.config",
    "https_proxy": "http://proxy",
    "NODE_EXTRA_CA_CERTS": "/ca.pem",
    "ANTHROPIC_API_KEY": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "SSH_AUTH_SOCK": "/tmp/agent",
    "CORP_LLM_KEY": "corp",
    "SANDBOX_AGENT_TOKEN": "token",
    "PYTHONPATH": "/server",
}


def test_agents_work_with_the_environment_of_who_started_the_server() -> None:
    users = {name: value for name, value in SERVER.items() if name != "SANDBOX_AGENT_TOKEN"}
    assert build_environment(SERVER) == {**users, "TERM": "dumb"}


@pytest.mark.parametrize(
    "mark",
    [
        "CLAUDECODE",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_SSE_PORT",
        "CODEX_SANDBOX",
        "CODEX_SANDBOX_NETWORK_DISABLED",
        "CURSOR_TRACE_ID",
        "GEMINI_CLI",
        "OPENCODE",
        "QWEN_CODE",
    ],
)
def test_the_marks_of_an_outer_agent_stay_out(mark: str) -> None:
    assert mark not in build_environment({**SERVER, mark: "1"})


def test_settings_that_look_like_a_mark_get_in() -> None:
    settings = {
        "CLAUDE_CODE_SHELL": "/bin/zsh",
        "CLAUDE_CODE_TMPDIR": "/tmp",
        "GEMINI_API_KEY": "k",
        "OPENCODE_CONFIG": "/c",
        "CODEX_HOME": "/codex",
        "CURSOR_API_KEY": "k",
    }
    assert settings.items() <= build_environment(settings).items()


def test_without_inheriting_only_what_is_needed_comes_from_the_server() -> None:
    env = build_environment(SERVER, inherit=False)
    assert env == {
        "HOME": "/root",
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "XDG_CONFIG_HOME": "/home/ada/.config",
        "https_proxy": "http://proxy",
        "NODE_EXTRA_CA_CERTS": "/ca.pem",
        "TERM": "dumb",
    }


def test_a_definition_lets_its_own_variables_in() -> None:
    env = build_environment(SERVER, inherit=False, env_names=["ANTHROPIC_API_KEY", "AWS_*"])
    assert env["ANTHROPIC_API_KEY"] == "key"
    assert env["AWS_SECRET_ACCESS_KEY"] == "secret"


def test_names_and_globs_are_inherited_besides() -> None:
    env = build_environment(SERVER, inherit=["SSH_AUTH_SOCK", "CORP_*"])
    assert (env["SSH_AUTH_SOCK"], env["CORP_LLM_KEY"], env["HOME"]) == (
        "/tmp/agent",
        "corp",
        "/root",
    )
    assert "ANTHROPIC_API_KEY" not in env
    assert "PYTHONPATH" not in env


def test_the_session_wins_over_the_configuration_and_that_over_the_server() -> None:
    env = build_environment(
        SERVER,
        configured={"HOME": "/configured", "TERM": "xterm", "A": "configured"},
        given={"A": "session", "B": "session"},
    )
    assert (env["HOME"], env["TERM"], env["A"], env["B"]) == (
        "/configured",
        "xterm",
        "session",
        "session",
    )


@pytest.mark.parametrize("inherit", [True, False, ["SANDBOX_AGENT_*"]])
def test_the_servers_own_settings_never_get_in(inherit: bool | list[str]) -> None:
    env = build_environment(
        SERVER,
        inherit=inherit,
        env_names=["SANDBOX_AGENT_TOKEN"],
        configured={"SANDBOX_AGENT_HOST": "x"},
        given={"SANDBOX_AGENT_TOKEN": "x"},
    )
    assert not [name for name in env if name.startswith("SANDBOX_AGENT_")]


def test_an_agent_can_find_programs_even_when_the_server_has_no_path() -> None:
    assert build_environment({})["PATH"]
