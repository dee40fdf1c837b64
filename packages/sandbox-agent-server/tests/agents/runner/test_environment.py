from __future__ import annotations

from sandbox_agent_server.agents.runner.environment import build_environment

SERVER = {
    "HOME": "/root",
    "PATH": "/bin",
    "LC_ALL": "C.UTF-8",
    "XDG_CONFIG_HOME": "/home/ada/.config",
    "https_proxy": "http://proxy",
    "NODE_EXTRA_CA_CERTS": "/ca.pem",
    "ANTHROPIC_API_KEY": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "SANDBOX_AGENT_TOKEN": "token",
    "PYTHONPATH": "/server",
}


def test_only_the_usual_comes_from_the_server() -> None:
    env = build_environment(SERVER)
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
    env = build_environment(SERVER, env_names=["ANTHROPIC_API_KEY", "AWS_*"])
    assert env["ANTHROPIC_API_KEY"] == "key"
    assert env["AWS_SECRET_ACCESS_KEY"] == "secret"


def test_the_session_wins_over_the_configuration_and_that_over_the_server() -> None:
    env = build_environment(
        SERVER,
        configured={"HOME": "/configured", "TERM": "xterm", "A": "configured"},
        session={"A": "session", "B": "session"},
    )
    assert (env["HOME"], env["TERM"], env["A"], env["B"]) == (
        "/configured",
        "xterm",
        "session",
        "session",
    )


def test_the_servers_own_settings_never_get_in() -> None:
    env = build_environment(
        SERVER,
        env_names=["SANDBOX_AGENT_TOKEN"],
        configured={"SANDBOX_AGENT_HOST": "x"},
        session={"SANDBOX_AGENT_TOKEN": "x"},
    )
    assert not [name for name in env if name.startswith("SANDBOX_AGENT_")]


def test_an_agent_can_find_programs_even_when_the_server_has_no_path() -> None:
    assert build_environment({})["PATH"]
