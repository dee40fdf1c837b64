"""How agents that speak ACP are started in a workspace that brings settings along."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import AgentNotInstalled, WorkspaceNotTrusted
from sandbox_agent_core.spi.agent import AgentContext, WireFrame
from sandbox_agent_server.agents.acp.launch import Launch
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.agents.known import copilot, gemini, qwen
from sandbox_agent_server.agents.known.dotenv import without_dotenv


class RefusesFrames:
    def frames(self, batch: list[WireFrame]) -> None:
        raise AssertionError(batch)

    def ended(self) -> None:
        pass


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "work" / "repository"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def context(home: Path, workspace: Path) -> AgentContext:
    return AgentContext(session_id="s", cwd=workspace, env={"HOME": str(home)})


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def trusting(context: AgentContext, **changes: Any) -> AgentContext:
    return AgentContext(
        session_id="s", cwd=context.cwd, env=context.env, trust_workspace=True, **changes
    )


def with_servers(context: AgentContext, *names: str) -> AgentContext:
    return AgentContext(session_id="s", cwd=context.cwd, env=context.env, mcp_server_names=names)


def remove_files(launch: Launch) -> None:
    for file in launch.files:
        file.remove()


def test_without_settings_of_the_workspace_nothing_is_changed(context: AgentContext) -> None:
    for agent in (copilot, gemini, qwen):
        for each in (context, trusting(context)):
            assert agent.prepare(each) == Launch()


def test_gemini_does_not_trust_and_is_told_the_memory_that_it_then_does_not_read(
    context: AgentContext, home: Path, workspace: Path
) -> None:
    write(workspace / ".gemini/settings.json", {})
    write(workspace / "GEMINI.md", "word")
    launch = gemini.prepare(context)
    assert launch.env == {"GEMINI_CLI_TRUST_WORKSPACE": "false"}
    assert "word" in (launch.preface or "")
    assert launch.modes == {"autoEdit": "default", "yolo": "default"}

    write(home / ".gemini/settings.json", {"context": {"fileName": ["NOTES.md"]}})
    write(workspace / "NOTES.md", "other")
    preface = gemini.prepare(context).preface or ""
    assert ("word" in preface, "other" in preface) == (False, True)


def test_gemini_with_mcp_servers_of_the_session_needs_trust_where_there_are_settings(
    context: AgentContext, workspace: Path
) -> None:
    assert gemini.prepare(with_servers(context, "stamper")) == Launch()
    path = write(workspace / ".gemini/settings.json", {})
    with pytest.raises(WorkspaceNotTrusted) as refusal:
        gemini.prepare(with_servers(context, "stamper"))
    assert refusal.value.details["files"] == [str(path)]


def test_gemini_that_trusts_gets_a_policy_above_all_others(
    context: AgentContext, workspace: Path
) -> None:
    write(workspace / ".gemini/settings.json", {})
    launch = gemini.prepare(trusting(context))
    try:
        policies = [file.path.read_text(encoding="utf-8") for file in launch.files]
        assert all('decision = "ask_user"' in policy for policy in policies)
        named = [f"--admin-policy={file.path}" for file in launch.files]
        assert launch.arguments == ["--approval-mode=default", *named]
    finally:
        remove_files(launch)


def test_qwen_has_the_users_words_above_those_of_the_workspace(
    context: AgentContext, home: Path, workspace: Path
) -> None:
    write(workspace / ".qwen/settings.json", {})
    own = {"ui": {"theme": "x"}, "mcpServers": {"mine": {}}, "tools": {"approvalMode": "yolo"}}
    write(home / ".qwen/settings.json", f"// mine\n{json.dumps(own)}")
    launch = qwen.prepare(with_servers(context, "stamper"))
    try:
        (file,) = launch.files
        settings = json.loads(file.path.read_text(encoding="utf-8"))
        assert settings["ui"] == {"theme": "x"}
        assert settings["tools"]["approvalMode"] == "default"
        assert settings["disableAllHooks"] is True
        assert "Bash" in settings["permissions"]["ask"]
        assert launch.env == {"QWEN_CODE_SYSTEM_SETTINGS_PATH": str(file.path)}
        names = [argument.partition("=")[2] for argument in launch.arguments]
        assert names[1:] == ["stamper", "mine"]
        again = qwen.prepare(context)
        remove_files(again)
        # Not one that a workspace could name a server of its own after.
        assert names[0] != again.arguments[0].partition("=")[2]
    finally:
        remove_files(launch)


def test_qwen_that_trusts_asks_all_the_same(context: AgentContext, workspace: Path) -> None:
    write(workspace / ".qwen/settings.json", {})
    launch = qwen.prepare(trusting(context))
    try:
        settings = json.loads(launch.files[0].path.read_text(encoding="utf-8"))
        assert "disableAllHooks" not in settings
        assert "Bash" in settings["permissions"]["ask"]
        assert launch.arguments == []
    finally:
        remove_files(launch)


def test_what_copilots_user_has_trusted_is_refused_where_the_session_does_not(
    context: AgentContext, home: Path, workspace: Path
) -> None:
    path = write(workspace / ".mcp.json", {})
    assert copilot.prepare(context) == Launch()
    write(home / ".copilot/config.json", {"trustedFolders": [str(workspace) + "x"]})
    assert copilot.prepare(context) == Launch()
    write(home / ".copilot/config.json", {"trustedFolders": [str(workspace.parent)]})
    with pytest.raises(WorkspaceNotTrusted) as refusal:
        copilot.prepare(context)
    assert refusal.value.details["files"] == [str(path)]
    assert copilot.prepare(trusting(context)) == Launch()


def test_what_copilot_would_trust_of_further_directories_is_refused(
    context: AgentContext, tmp_path: Path
) -> None:
    further = dataclasses.replace(context, additional_directories=(tmp_path / "further",))
    assert copilot.prepare(further) == Launch()
    skill = write(tmp_path / "further/.github/skills/do/SKILL.md", "do it")
    hook = write(tmp_path / "further/.github/hooks/one.json", {"hooks": {}})
    with pytest.raises(WorkspaceNotTrusted) as refusal:
        copilot.prepare(further)
    assert set(refusal.value.details["files"]) == {str(skill), str(hook)}
    assert copilot.prepare(dataclasses.replace(further, trust_workspace=True)) == Launch()


def test_hooks_of_copilot_are_found_however_deep_and_through_links(
    context: AgentContext, workspace: Path
) -> None:
    write(workspace / "innocent" / "deep" / "h.json", {})
    hooks = workspace / ".github" / "hooks"
    hooks.parent.mkdir()
    hooks.symlink_to(workspace / "innocent")
    (workspace / "innocent" / "circle").symlink_to(workspace / "innocent")
    with pytest.raises(WorkspaceNotTrusted) as refusal:
        copilot.prepare(context)
    assert str(hooks / "deep" / "h.json") in refusal.value.details["files"]


def test_what_a_dotenv_would_set_is_set_already(workspace: Path) -> None:
    write(
        workspace / ".env",
        "A_KEY=1\nexport LD_PRELOAD = evil.so\nB: 'x\nC=2'\nGIVEN=theirs\nLET_IN=3\n",
    )
    inner = workspace / "inner"
    inner.mkdir()
    env = without_dotenv(inner, {"GIVEN": "ours"}, names=[".env"], let_in=["LET_IN"])
    assert env == {"A_KEY": "", "LD_PRELOAD": "", "B": "", "C": ""}


def test_the_users_own_dotenv_is_left_alone(workspace: Path) -> None:
    write(workspace.parent / ".env", "A=1")
    home = {"HOME": str(workspace.parent)}
    assert without_dotenv(workspace, home, names=[".env"]) == {}


@pytest.mark.parametrize(
    ("agent", "file"),
    [
        ("auggie", ".augment/settings.json"),
        ("cline", ".clinerules/hooks/PreToolUse"),
        ("droid", ".factory/mcp.json"),
        ("fast-agent", "fastagent.config.yaml"),
        ("qoder", ".qoder/settings.local.json"),
        ("vibe", ".vibe/config.toml"),
    ],
)
async def test_what_no_switch_is_known_for_takes_a_trusted_workspace(
    context: AgentContext, workspace: Path, agent: str, file: str
) -> None:
    write(workspace / file, {})
    nothing_to_run = replace(context, env={**context.env, "PATH": ""})

    with pytest.raises(WorkspaceNotTrusted, match=re.escape(file)):
        await Catalog().get(agent).create(nothing_to_run).start(RefusesFrames())
    with pytest.raises(AgentNotInstalled):
        await Catalog().get(agent).create(trusting(nothing_to_run)).start(RefusesFrames())
