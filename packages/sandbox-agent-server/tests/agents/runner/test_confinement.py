"""What a confined command sees of a home, by running one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from sandbox_agent_core.errors import AgentStartFailed, InvalidRequest
from sandbox_agent_core.spi.agent import AgentContext, AgentDefinition
from sandbox_agent_server.agents.private_file import PrivateFile
from sandbox_agent_server.agents.runner.confinement import AgentConfinement
from sandbox_agent_server.agents.runner.factory import AgentFactory
from sandbox_agent_server.agents.runner.program_files import program_files
from sandbox_agent_server.settings import ConfinementSettings, Settings
from support.bubblewrap import bubblewrap

__all__ = ["bubblewrap"]


class World:
    """A user's home, and a session with a home of its own."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self.own = directory / "data" / "sessions" / "s" / "home"
        self.workspace = directory / "workspace"
        for path in (self.home, self.workspace):
            path.mkdir()
        self.settings = Settings(
            data_dir=directory / "data",
            agents_dir=directory / "agents",
            confine=ConfinementSettings(),
        )

    def write(self, name: str, text: str) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run(
        self,
        agent: str,
        script: str,
        *arguments: str,
        home: Literal["hidden", "read-only"] = "hidden",
        additional: Sequence[Path] = (),
        **env: str,
    ) -> str:
        """What it prints."""
        confinement = AgentConfinement(self.settings, ConfinementSettings(home=home))
        given = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", **env}
        confined = confinement.of(
            agent,
            self.own,
            ["sh", "-c", script, *arguments],
            self.workspace,
            given,
            additional=additional,
        )
        done = subprocess.run(
            list(confined.argv), env=dict(confined.env), capture_output=True, text=True, timeout=60
        )
        return done.stdout + done.stderr


@pytest.fixture
def world(tmp_path: Path, bubblewrap: None) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("home", ["hidden", "read-only"])
def test_settings_are_read_and_logins_renewed_in_place(world: World, home: Any) -> None:
    settings = world.write(".claude/settings.json", "{}")
    login = world.write(".claude/.credentials.json", "old")
    other = world.write(".codex/auth.json", "of another agent")
    script = (
        "cat ~/.claude/settings.json; echo hooks >~/.claude/settings.json; "
        "echo new >~/.claude/.credentials.json; mkdir -p ~/.claude/projects; echo kept >~/.claude/projects/one"
    )
    said = world.run("claude", script, home=home)
    assert said.startswith("{}")
    assert "Read-only file system" in said
    assert settings.read_text(encoding="utf-8") == "{}"
    assert login.read_text(encoding="utf-8") == "new\n"
    assert not (world.home / ".claude" / "projects").exists()
    assert world.run("claude", "cat ~/.claude/projects/one", home=home) == "kept\n"
    seen = world.run("claude", f"cat {other}", home=home)
    assert ("of another" in seen) == (home == "read-only")


def test_directories_beside_the_workspace_can_be_changed(world: World, tmp_path: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    script = f"echo written >{more}/one"
    assert "written" not in world.run("claude", f"{script}; cat {more}/one")
    assert world.run("claude", script, additional=[more]) == ""
    assert (more / "one").read_text(encoding="utf-8") == "written\n"


def test_what_holds_a_login_and_more_is_copied_once(world: World) -> None:
    original = world.write(".claude.json", "of the user")
    assert (
        world.run("claude", "cat ~/.claude.json; echo -n changed >~/.claude.json") == "of the user"
    )
    assert world.run("claude", "cat ~/.claude.json") == "changed"
    assert original.read_text(encoding="utf-8") == "of the user"


def test_a_variable_may_put_it_elsewhere(world: World, tmp_path: Path) -> None:
    elsewhere = tmp_path / "codex"
    elsewhere.mkdir()
    (elsewhere / "config.toml").write_text("model = 'x'\n", encoding="utf-8")
    script = "cat $CODEX_HOME/config.toml; echo kept >$CODEX_HOME/state"
    assert world.run("codex", script, CODEX_HOME=str(elsewhere)) == "model = 'x'\n"
    assert [path.name for path in elsewhere.iterdir()] == ["config.toml"]
    assert world.run("codex", "cat $CODEX_HOME/state", CODEX_HOME=str(elsewhere)) == "kept\n"


def test_the_files_that_an_adapter_made_for_it_are_there_and_those_of_others_are_not(
    world: World,
) -> None:
    files = [
        PrivateFile(name, name=name, suffix=".json") for name in ("argument", "variable", "other")
    ]
    argument, variable, other = (file.path for file in files)
    try:
        script = f"cat $SETTINGS_PATH; cat {other}"
        assert world.run("qwen", script, SETTINGS_PATH=str(variable)).startswith("variablecat: ")
        said = world.run("qwen", 'cat "$0"', f"{argument}")
        assert said == "argument"
    finally:
        for file in files:
            file.remove()


@pytest.mark.parametrize("planted", [".claude", ".gitconfig", ".config"])
def test_no_link_that_an_agent_left_is_followed(world: World, tmp_path: Path, planted: str) -> None:
    world.write(".claude/settings.json", "{}")
    world.write(".gitconfig", "")
    world.write(".config/git/ignore", "")
    target = tmp_path / "target"
    target.mkdir()
    world.own.mkdir(parents=True)
    (world.own / planted).symlink_to(target)
    assert world.run("claude", "cat ~/.claude/settings.json") == "{}"
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(
    ("agent", "network"), [("amp", True), ("opencode", False), ("kilo", False)]
)
def test_an_agent_that_could_not_work_is_refused(world: World, agent: str, network: bool) -> None:
    confinement = AgentConfinement(world.settings, ConfinementSettings(network=network))
    with pytest.raises(InvalidRequest):
        confinement.check(agent, world.workspace, {"HOME": str(world.home)})


def test_an_adapter_that_goes_round_it_is_refused(world: World) -> None:
    contexts: list[AgentContext] = []

    def create(context: AgentContext) -> Any:
        contexts.append(context)

    class Catalog:
        def get(self, name: str) -> AgentDefinition:
            return AgentDefinition(
                name=name, title=name, create=create, find=lambda _: None, install_hint=""
            )

    factory = AgentFactory(world.settings, Catalog())  # type: ignore[arg-type]
    factory.make("x", session_id="s", cwd=world.workspace, env={}, on_process=lambda _pid: None)
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    with pytest.raises(AgentStartFailed):
        contexts[0].on_process(process.pid)
    assert process.wait(10) == -9


def test_the_files_of_a_program_are_its_installation_and_its_interpreter(
    tmp_path: Path, program: Callable[[str], Path]
) -> None:
    env = {"HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "python" / "bin")}
    (tmp_path / "python" / "lib").mkdir(parents=True)
    program("python/bin/python3")
    script = program("home/.local/bin/tool")
    script.write_text("#!/usr/bin/env python3\n", encoding="utf-8")
    assert set(program_files(script, env)) == {script, tmp_path / "python"}
    packaged = program("home/app/node_modules/pkg/bin/agent")
    link = tmp_path / "home" / ".local" / "bin" / "agent"
    link.symlink_to(packaged)
    assert set(program_files(link, env)) == {link, tmp_path / "home/app/node_modules"}
    cargo = program("home/.cargo/bin/agent")
    assert set(program_files(cargo, env)) == {cargo}


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    def program(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
        return path

    return program
