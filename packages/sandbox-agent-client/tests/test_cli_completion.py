"""Tab, in real shells."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_agent_client import SessionRecord, SqliteTranscriptStore
from sandbox_agent_client.cli import completion
from sandbox_agent_server.agents.catalog import Catalog
from support.optional import skip_without
from terminal import DEADLINE_S

BIN = str(Path(sys.executable).parent)


def shell(environment: dict[str, str], home: Path, script: str) -> str:
    env = environment | {"HOME": str(home), "PATH": f"{BIN}:{environment['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-ec", script],
        env=env, capture_output=True, text=True, timeout=DEADLINE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_bash_completes_commands_agents_and_sessions(
    environment: dict[str, str], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    store = SqliteTranscriptStore(kept / "cli" / "sessions.db")
    record = SessionRecord(id="ticket-1", agent="mock", created_at="2026-01-01T00:00:00Z")
    asyncio.run(_stored(store, record))
    said = shell(
        environment | {"SANDBOX_AGENT_DATA_DIR": str(kept)},
        tmp_path,
        """
        sandbox-agent --install-completion >/dev/null; true
        source ~/.bash_completions/sandbox-agent.sh
        handler=$(complete -p sandbox-agent | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        tab() { COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
                "$handler" sandbox-agent; echo "${COMPREPLY[@]}"; }
        tab sandbox-agent sess
        tab sandbox-agent run --agent cla
        tab sandbox-agent sessions show tick
        """,
    )
    assert said.splitlines() == ["sessions", "claude", "ticket-1"]


async def _stored(store: SqliteTranscriptStore, record: SessionRecord) -> None:
    await store.put_session(record)
    await store.close()


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_other_shells_take_their_scripts(environment: dict[str, str], name: str) -> None:
    program = shutil.which(name)
    if program is None:
        skip_without(f"{name} is not installed: apt-get install {name}")
    env = environment | {"PATH": f"{BIN}:{environment['PATH']}"}
    # The shell is told by who calls: with one command alone it would not be there any more.
    made = subprocess.run(
        [program, "-c", "sandbox-agent --show-completion; true"],
        env=env, capture_output=True, text=True, timeout=DEADLINE_S,
    )  # fmt: skip
    assert {"zsh": "#compdef sandbox-agent", "fish": "complete --command"}[name] in made.stdout
    checked = subprocess.run(
        [program, "-n"], input=made.stdout, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert checked.returncode == 0, checked.stderr


def test_every_agent_that_a_server_knows_is_offered() -> None:
    known = set(Catalog().names())
    assert set(completion.AGENTS) == known
