"""The home beside the user's: their settings with rules that ask, and what belongs to them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from sandbox_agent_core.errors import AgentStartFailed
from sandbox_agent_core.spi.agent import AgentContext, Confined
from sandbox_agent_server.agents.known.own_home import AskingRule, OwnHome, with_rules

RULES = [
    AskingRule(short="Bash", members={"action": "ask", "tool": "bash"}),
    AskingRule(short="Edit", members={"action": "ask", "tool": "edit"}),
]
HOME = OwnHome(
    title="Grok", variable="GROK_HOME", default=".grok", shared=("auth.json", "skills"), rules=RULES
)


def context(home: Path, **env: str) -> AgentContext:
    return AgentContext(session_id="s", cwd=home, env={"HOME": str(home), **env})


@pytest.mark.parametrize(
    "text",
    [
        "",
        'model = "x"\n[ui]\ntheme = "dark"\n',
        'a = 1\n[permission] # mine\nallow = ["Bash(git *)"]\n[ui]\nask = ["no rule"]\n',
        '[permission]\ndeny = ["Read"]\nask = [\n  "Read(secret)", # kept\n]\n',
        "[permission]\nask = []\n",
        '[[permission.rules]]\naction = "deny"\ntool = "read"\n',
    ],
)
def test_rules_are_added_and_nothing_else_is_changed(text: str) -> None:
    before, after = tomllib.loads(text), tomllib.loads(with_rules(text, RULES))

    old, new = before.pop("permission", {}), after.pop("permission")
    assert before == after
    assert {"Bash", "Edit"} <= set(new.get("ask", [])) or {"bash", "edit"} <= {
        rule["tool"] for rule in new["rules"]
    }
    for name, value in old.items():
        assert all(each in new[name] for each in value)


@pytest.mark.parametrize(
    "text",
    ["= broken", "permission = 3", 'permission = { allow = ["Read"] }', "[permission]\nask = 3"],
)
def test_settings_that_take_no_rules_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        with_rules(text, RULES)


def test_a_home_is_made_beside_the_users(tmp_path: Path) -> None:
    theirs = tmp_path / ".grok"
    (theirs / "skills").mkdir(parents=True)
    (theirs / "config.toml").write_text('model = "mine"\n', encoding="utf-8")

    for _ in range(2):
        launch = HOME.prepare(context(tmp_path))

    own = theirs / "sandbox-agent"
    assert launch.env == {"GROK_HOME": str(own)}
    settings = tomllib.loads((own / "config.toml").read_text(encoding="utf-8"))
    assert settings == {"model": "mine", "permission": {"ask": ["Bash", "Edit"]}}
    assert (own / "skills").resolve() == theirs / "skills"
    assert sorted(path.name for path in own.iterdir()) == ["config.toml", "skills"]
    assert (theirs / "config.toml").read_text(encoding="utf-8") == 'model = "mine"\n'


def test_a_login_that_comes_later_is_led_to(tmp_path: Path) -> None:
    theirs = tmp_path / "elsewhere"
    HOME.prepare(context(tmp_path, GROK_HOME=str(theirs)))
    (theirs / "auth.json").write_text("{}", encoding="utf-8")

    HOME.prepare(context(tmp_path, GROK_HOME=str(theirs)))

    assert (theirs / "sandbox-agent" / "auth.json").read_text(encoding="utf-8") == "{}"


def test_settings_that_cannot_be_kept_asking_start_nothing(tmp_path: Path) -> None:
    (tmp_path / ".grok").mkdir()
    (tmp_path / ".grok" / "config.toml").write_text("permission = 3\n", encoding="utf-8")

    with pytest.raises(AgentStartFailed, match="permission"):
        HOME.prepare(context(tmp_path))


def test_nothing_is_made_for_a_confined_agent_or_without_a_home(tmp_path: Path) -> None:
    confined = AgentContext(
        session_id="s",
        cwd=tmp_path,
        env={"HOME": str(tmp_path)},
        confine=lambda argv, _cwd, env: Confined(argv=argv, env=env),
    )
    nowhere = AgentContext(session_id="s", cwd=tmp_path, env={})

    assert HOME.prepare(confined).env == HOME.prepare(nowhere).env == {}
    assert list(tmp_path.iterdir()) == []
