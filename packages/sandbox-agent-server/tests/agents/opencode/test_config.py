"""The configuration that OpenCode is given: it asks, and the user's own word holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.agent_options import OpenCodeAgent, OpenCodeOptions
from sandbox_agent_server.agents.opencode.config import config_content
from sandbox_agent_server.agents.opencode.launch import environment
from sandbox_agent_server.agents.opencode.variant import KILO, OPENCODE
from sandbox_agent_server.agents.opencode.workspace import rules

ASKS = {"bash": "ask", "edit": "ask", "webfetch": "ask"}


def config(home: Path, variant: Any = OPENCODE, **env: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(config_content(variant, {"HOME": str(home), **env}))
    return made


def write(home: Path, name: str, text: str) -> None:
    path = home / ".config" / "opencode" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_it_asks_and_stays_as_it_is(tmp_path: Path) -> None:
    assert config(tmp_path) == {"share": "disabled", "autoupdate": False, "permission": ASKS}


@pytest.mark.parametrize(
    ("own", "left"),
    [
        ('{"permission": "allow"}', None),
        ('{"permission": {"*": "allow"}}', None),
        (
            '{"permission": {"bash": {"git *": "allow"}}}',
            {"edit": "ask", "webfetch": "ask"},
        ),
        (
            '{// mine\n"theme": "http://x", /* and */ "permission": {"edit": "allow",},}',
            {"bash": "ask", "webfetch": "ask"},
        ),
        ('{"theme": "dark"}', ASKS),
        ("{ no JSON", ASKS),
        ('["permission"]', ASKS),
    ],
)
def test_what_the_user_settled_is_left_to_them(
    tmp_path: Path, own: str, left: dict[str, str] | None
) -> None:
    write(tmp_path, "opencode.jsonc", own)

    assert config(tmp_path).get("permission") == left


def test_a_file_named_by_a_variable_is_the_users(tmp_path: Path) -> None:
    file = tmp_path / "own.json"
    file.write_text('{"permission": {"bash": "deny"}}', encoding="utf-8")

    made = config(tmp_path, OPENCODE_CONFIG=str(file))

    assert made["permission"] == {"edit": "ask", "webfetch": "ask"}


def test_what_the_session_configured_itself_stands_above(tmp_path: Path) -> None:
    given = {"permission": {"bash": "allow"}, "theme": "dark", "share": "auto"}

    made = config(tmp_path, OPENCODE_CONFIG_CONTENT=json.dumps(given))

    assert made["permission"] == {"bash": "allow", "edit": "ask", "webfetch": "ask"}
    assert (made["theme"], made["share"]) == ("dark", "auto")


@pytest.mark.parametrize(
    ("name", "url", "provider", "expected"),
    [
        ("ANTHROPIC_BASE_URL", "http://gw", "anthropic", "http://gw/v1"),
        ("ANTHROPIC_BASE_URL", "http://gw/v1/", "anthropic", "http://gw/v1"),
        ("OPENAI_BASE_URL", "http://gw/openai", "openai", "http://gw/openai"),
        ("GOOGLE_GEMINI_BASE_URL", "http://gw", "google", "http://gw/v1beta"),
    ],
)
def test_a_base_url_becomes_the_providers(
    tmp_path: Path, name: str, url: str, provider: str, expected: str
) -> None:
    made = config(tmp_path, **{name: url})

    assert made["provider"] == {provider: {"options": {"baseURL": expected}}}


def test_who_brings_a_key_does_not_get_the_hosted_models(tmp_path: Path) -> None:
    assert config(tmp_path, OPENAI_API_KEY="k")["disabled_providers"] == ["opencode"]
    assert config(tmp_path, KILO, OPENAI_API_KEY="k")["disabled_providers"] == ["kilo"]


def test_who_has_an_account_keeps_the_hosted_models(tmp_path: Path) -> None:
    login = tmp_path / ".local" / "share" / "opencode" / "auth.json"
    login.parent.mkdir(parents=True)
    login.write_text('{"opencode": {"type": "api", "key": "k"}}', encoding="utf-8")

    assert "disabled_providers" not in config(tmp_path, OPENAI_API_KEY="k")
    assert "disabled_providers" not in config(tmp_path, KILO, OPENAI_API_KEY="k", KILO_API_KEY="k")


def test_the_password_is_ours_whatever_the_environment_says(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "KILO_SERVER_PASSWORD": "old", "KILO_DISABLE_AUTOUPDATE": "0"}

    made = environment(KILO, env, password="new")

    assert made["KILO_SERVER_PASSWORD"] == "new"
    assert made["KILO_DISABLE_AUTOUPDATE"] == "0", "what the session says wins"
    assert made["KILO_DISABLE_LSP_DOWNLOAD"] == "1"


def test_options_of_the_session_stand_above_all(tmp_path: Path) -> None:
    sailor = OpenCodeAgent(description="sails", prompt="Ahoy", mode="primary")
    options = OpenCodeOptions(
        max_steps=3,
        system_prompt="You are terse.",
        agents={"sailor": sailor},
        small_model="p/small",
        auto_compact=False,
        snapshots=False,
    )
    given = {"OPENCODE_CONFIG_CONTENT": '{"small_model": "p/other", "theme": "dark"}'}

    made = json.loads(config_content(OPENCODE, {"HOME": str(tmp_path), **given}, options=options))

    assert made["agent"] == {
        "build": {"steps": 3, "prompt": "You are terse."},
        "plan": {"steps": 3},
        "sailor": {"steps": 3, "description": "sails", "prompt": "Ahoy", "mode": "primary"},
    }
    assert (made["small_model"], made["theme"], made["snapshot"]) == ("p/small", "dark", False)
    assert made["compaction"] == {"auto": False}
    assert made["permission"] == ASKS
    assert "plugin" not in made


def test_rules_of_a_session_let_it_look_into_its_directories() -> None:
    made = rules(has_settings=True, directories=["/data/"], disabled_tools=["bash"])

    assert [rule["action"] for rule in made[:4]] == ["ask"] * 4
    assert made[4:] == [
        {"permission": "external_directory", "pattern": "/data/*", "action": "allow"},
        {"permission": "bash", "pattern": "*", "action": "deny"},
    ]
    assert rules(has_settings=False) == []
