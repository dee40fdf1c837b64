"""`sandbox-agent sandboxes …`, in this process, over the local provider and one that can do everything."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import LocalProvider, SandboxRef, SandboxSpec
from sandbox_agent_client.cli.main import app
from sandbox_agent_client.sandboxes import plugins
from sandbox_agent_core.errors import ProviderAuthError, ProviderUnavailable
from sandbox_agent_core.spi.labels import own_labels
from sandbox_agent_core.spi.provider import SandboxInfo
from support.directory_provider import DirectoryProvider
from typer.testing import CliRunner, Result


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two providers: local, and directories in `tmp_path`."""
    monkeypatch.setenv("SANDBOX_AGENT_DATA_DIR", str(tmp_path / "data"))
    point = EntryPoint("directory", "support.directory_provider:InTheRoot", plugins.GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda **_: EntryPoints([point]))
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("ROOT_OF_DIRECTORY_PROVIDER", str(tmp_path / "root"))


@pytest.fixture
def provider(tmp_path: Path) -> DirectoryProvider:
    return DirectoryProvider(str(tmp_path / "root"))


@pytest.fixture
def made(provider: DirectoryProvider) -> dict[str, SandboxRef]:
    """A new sandbox, one two days old, and one as old that was kept."""
    now = datetime.now(UTC)
    old = now - timedelta(days=2)
    refs = {}
    for name, created, keep in (("new", now, False), ("old", old, False), ("kept", old, True)):
        labels = own_labels(run_id=name, version="0.1.0", now=created, keep=keep)
        refs[name] = provider.pretend({**labels, "team": name}, created)
    return refs


def run(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(app, ["sandboxes", *arguments], input=input)


def listed(*arguments: str) -> list[dict[str, Any]]:
    result = run("list", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def ids(provider: DirectoryProvider) -> set[str]:
    return {info.ref.id for info in asyncio.run(provider.list())}


def test_the_list_is_of_all_providers(made: dict[str, SandboxRef]) -> None:
    local = asyncio.run(LocalProvider().create(SandboxSpec()))
    try:
        found = listed()
        assert {one["ref"]["id"] for one in found} == {local.id, *(r.id for r in made.values())}
        (running,) = [one for one in found if one["ref"]["provider"] == "local"]
        assert SandboxRef.from_json(running["ref"]) == local
        assert running["state"] == "running"
        assert datetime.fromisoformat(running["createdAt"])
        logs = run("logs", local.id)
        assert "sandbox-agent-server" in logs.stdout
        assert len(run("logs", local.id, "--tail", "1").stdout.splitlines()) == 1
        assert run("destroy", local.id).exit_code == 0
        assert listed("--provider", "local") == []
    finally:
        asyncio.run(LocalProvider().destroy(local))


def test_the_table_shows_age_and_the_callers_labels(made: dict[str, SandboxRef]) -> None:
    del made
    lines = run("list").stdout.splitlines()
    assert lines[0].split() == ["provider", "id", "state", "age", "labels"]
    assert {line.split()[-1] for line in lines[1:]} == {"team=new", "team=old", "team=kept"}
    ages = {line.split()[3] for line in lines[1:]}
    assert "2d" in ages  # and that of the new one, in seconds


def test_the_table_shows_for_which_pool_one_was_made(provider: DirectoryProvider) -> None:
    now = datetime.now(UTC)
    labels = own_labels(run_id="r", version="0.1.0", now=now, keep=False, pool="of ours")
    provider.pretend(labels, now)
    assert run("list").stdout.splitlines()[1].split()[-1] == "sandbox-agent-pool=of-ours"


def test_a_sweep_takes_what_is_old_and_was_not_kept(
    made: dict[str, SandboxRef], provider: DirectoryProvider
) -> None:
    unasked = run("sweep")
    assert (unasked.exit_code, len(ids(provider))) == (2, 3)
    assert "--yes" in unasked.stderr
    swept = run("sweep", "--yes", "--json")
    assert swept.exit_code == 0, swept.output
    assert [json.loads(line)["ref"]["id"] for line in swept.stdout.splitlines()] == [made["old"].id]
    assert ids(provider) == {made["new"].id, made["kept"].id}
    assert "nothing to remove" in run("sweep", "--yes").stderr
    assert run("sweep", "--yes", "--kept", "--older-than", "1d").exit_code == 0
    assert ids(provider) == {made["new"].id}
    assert run("sweep", "--yes", "--older-than", "0s").exit_code == 0
    assert ids(provider) == set()


@pytest.mark.parametrize(("answer", "left"), [("y\n", 2), ("\n", 3), ("no\n", 3)])
def test_a_sweep_asks_on_a_terminal(
    made: dict[str, SandboxRef],
    provider: DirectoryProvider,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    left: int,
) -> None:
    del made
    monkeypatch.setattr("sandbox_agent_client.cli.terminal.is_terminal", lambda: True)
    result = run("sweep", input=answer)
    assert "Remove 1?" in result.stderr
    assert len(ids(provider)) == left


def test_a_sandbox_is_made_to_stay_used_and_found_by_the_beginning_of_its_id(
    provider: DirectoryProvider,
) -> None:
    made = run("create", "directory", "--label", "team=blue", "--json")
    assert made.exit_code == 0, made.output
    ref = SandboxRef.from_json(json.loads(made.stdout))
    begin = ref.id[:-2]
    (listed_one,) = listed()
    assert listed_one["labels"]["team"] == "blue"
    shown = json.loads(run("show", begin, "--json").stdout)
    assert shown["url"].startswith("http://127.0.0.1:")
    assert run("url", begin).stdout.strip() == shown["url"]
    assert run("url", begin, "3000").stdout.strip() == "http://127.0.0.1:3000"
    env = dict(
        line.removeprefix("export ").split("=", 1) for line in run("env", begin).stdout.splitlines()
    )
    assert env["SANDBOX_AGENT_URL"] == shown["url"]
    assert "paused" in run("pause", begin).stderr
    assert listed()[0]["state"] == "paused"
    assert "resumed" in run("resume", begin).stderr
    agents = CliRunner().invoke(app, ["agents"], env=env)
    assert agents.exit_code == 0, agents.output
    assert run("destroy", begin).exit_code == 0
    assert ids(provider) == set()


def test_a_provider_that_nobody_has_set_up_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(_self: DirectoryProvider, labels: object = None) -> list[SandboxInfo]:
        raise ProviderAuthError("There is no key.")

    monkeypatch.setattr(DirectoryProvider, "list", refused)
    assert run("list").stderr == ""
    assert "could not be asked" not in run("destroy", "some").stderr
    monkeypatch.setenv("DIRECTORY_KEY", "wrong")
    assert "directory: There is no key." in run("list").stderr


def test_destroying_by_id(made: dict[str, SandboxRef], provider: DirectoryProvider) -> None:
    missing = run("destroy", "no-such-sandbox")
    assert missing.exit_code == 5
    assert "no-such-sandbox" in missing.stderr
    assert run("destroy", made["new"].id, made["kept"].id).exit_code == 0
    assert ids(provider) == {made["old"].id}


def test_the_check_says_what_is_missing(tmp_path: Path) -> None:
    facts = [json.loads(line) for line in run("check", "--json").stdout.splitlines()]
    assert {one["provider"]: one["ok"] for one in facts} == {"local": True, "directory": True}
    (tmp_path / "root").rmdir()
    assert run("check").exit_code == 0
    alone = run("check", "--provider", "directory")
    assert alone.exit_code == 5
    assert "no" in alone.stdout.split()


def test_a_provider_that_cannot_be_asked_does_not_hide_the_others(
    made: dict[str, SandboxRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(_self: LocalProvider, labels: object = None) -> list[SandboxInfo]:
        raise ProviderUnavailable("it is down")

    monkeypatch.setattr(LocalProvider, "list", down)
    everything = run("list", "--json")
    assert len(everything.stdout.splitlines()) == len(made)
    assert "local: it is down" in everything.stderr
    assert everything.exit_code == 0
    assert run("list", "--provider", "local").exit_code == 5


@pytest.mark.parametrize(
    "arguments",
    [
        ["sweep", "--older-than", "yesterday"],
        ["list", "--option", "root=/"],
        ["list", "--provider", "directory", "--option", "root"],
    ],
)
def test_wrong_arguments_are_usage_errors(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_options_reach_the_named_provider(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    asked = ["list", "--provider", "directory", "-o", f"root={tmp_path / 'other'}"]
    assert run(*asked).exit_code == 0
    wrong = run("list", "--provider", "directory", "-o", "colour=3")
    assert wrong.exit_code == 2
    assert "no option `colour`" in wrong.stderr
    assert run("list", "--provider", "no-such-provider").exit_code == 5
