"""What the pages show as code runs as it stands, with the mock agent in the place of the others."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import SandboxAgent
from support.server import ServerProcess
from support.snippets.blocks import Block, blocks_of
from support.snippets.python import check_names, compiled, run, usual_names
from support.snippets.shell import Shell, check_options, commands_of

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page.relative_to(ROOT)
    for pattern in (
        "README.md",
        "CONTRIBUTING.md",
        "docs/**/*.md",
        "skills/**/*.md",
        "packages/*/README.md",
    )
    for page in ROOT.glob(pattern)
)
BLOCKS = {page: [*blocks_of(ROOT / page)] for page in PAGES}
FIRST = {block.text: block for page in reversed(PAGES) for block in reversed(BLOCKS[page])}
"""Where a text is first: what several pages show runs once."""
LANGUAGES = {
    "python", "sh", "json", "toml", "yaml", "ini", "nginx", "caddy", "html", "javascript", "text", "dockerfile",
    "ts", "tsx", "sql",
}  # fmt: skip


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if any(block.language == language for block in BLOCKS[page])]


@dataclass
class Place:
    """What stands for what the pages speak of: a repository, a server, a session of it."""

    directory: Path
    repository: Path
    server: ServerProcess

    def in_python(self, text: str) -> str:
        for shown, meant in {
            'agent="claude"': 'agent="mock"',
            '("claude"': '("mock"',
            '"claude",': '"mock",',
            '"opencode",': '"mock",',
            '"What is left?"': repr('{"text": "Nothing."}'),  # the mock agent says it again
            '"What is wrong in this module?"': repr('[{"file": "a", "line": 1, "problem": "b"}]'),
            '"Run the long tests in the background"': '"background 0.2"',
            '"/repo"': repr(str(self.repository)),
            '"http://127.0.0.1:2468"': repr(self.server.url),
            'token="..."': f"token={self.server.token!r}",
            '"ses_..."': repr(self.server.create()) if '"ses_..."' in text else "",
        }.items():
            text = text.replace(shown, meant)
        return text

    def in_shell(self, text: str) -> str:
        for shown, meant in {
            "--agent claude": "--agent mock",
            "--session ticket-4711": "--agent mock --session ticket-4711",
            "--session ses_1m8fym": f"--session {self.server.create()}",
            "sandbox-agent run --url https://… ": "sandbox-agent run --agent mock ",
            "SANDBOX_AGENT_TOKEN=… ": "SANDBOX_AGENT_TOKEN=a-token-of-nobody ",
            "sandbox-agent run --yes": "sandbox-agent run --agent mock --yes",
            'sandbox-agent run "': 'sandbox-agent run --agent mock "',
            "| sandbox-agent run -": "| sandbox-agent run --agent mock -",
            "http://127.0.0.1:2468": self.server.url,
            "curl -N": "curl -N --max-time 1",  # a stream has no end
            'events?after=0"': 'events?after=0" || [ $? = 28 ]',
            "tok_…": self._token() if "tok_…" in text else "",
        }.items():
            text = text.replace(shown, meant)
        return text

    def _token(self) -> str:
        with self.server.client() as client:
            made = client.post("/v1/tokens", json={"actor": "ada", "scopes": ["read"]}).json()
        return str(made["info"]["id"] if "info" in made else made["id"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("pages")
    repository = directory / "repo"
    repository.mkdir()
    readme = repository / "README.md"
    readme.write_text("A repository.\n", encoding="utf-8")
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm Begin"):
        subprocess.run(["git", *command.split()], cwd=repository, check=True)
    readme.write_text("A repository with a change.\n", encoding="utf-8")
    home = directory / "home"
    home.mkdir()
    server = ServerProcess(directory, env={"HOME": str(home)}).start()
    yield Place(directory, repository, server)
    server.stop()


@pytest.mark.parametrize("page", pages_with("python"), ids=str)
def test_python_runs(
    page: Path, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "screen.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "parser.py").write_text("# what prompts carry\n", encoding="utf-8")
    (tmp_path / "src").mkdir()
    blocks = [block for block in BLOCKS[page] if block.language == "python"]
    for block in blocks:
        compiled(block, block.text)
        check_names(block, usual_names())
    if any(block.not_run is None for block in blocks):
        asyncio.run(_run_all(blocks, place))


async def _run_all(blocks: list[Block], place: Place) -> None:
    names: dict[str, Any] = usual_names()
    async with SandboxAgent.connect(place.server.url, token=place.server.token) as client:
        session = await client.create_session("mock", cwd=str(place.repository))
        result = await session.prompt("text Something to look at")
        event = [event async for event in session.events()][-1]
        names |= {
            "result": result,
            "turn_id": result.turn_id,
            "event": event,
            "line": place.server.entries(session.id)[0],
        }
        for block in blocks:
            names |= {"client": client, "session": session, "session_id": session.id}
            if block.not_run is None and FIRST[block.text] is block:
                async with asyncio.timeout(30):
                    await run(block, place.in_python(block.text), names)
            opened = names["client"]
            if isinstance(opened, SandboxAgent) and opened is not client:
                await opened.close()


@pytest.mark.parametrize("page", pages_with("sh"), ids=str)
def test_commands_run(page: Path, place: Place, tmp_path: Path) -> None:
    shell = Shell(
        place.repository,
        {
            "HOME": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "SANDBOX_AGENT_URL": place.server.url,
            "SANDBOX_AGENT_TOKEN": place.server.token or "",
            "TOKEN": place.server.token or "",
            "ID": place.server.create(),
        },
    )
    for block in BLOCKS[page]:
        if block.language != "sh":
            continue
        for command in commands_of(block.text):
            check_options(command)
        if block.not_run is None and FIRST[block.text] is block:
            for command in commands_of(place.in_shell(block.text)):
                assert shell.run(command) == 0, f"{block.place}: {command}\n{shell.output}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_block_says_what_it_is_and_data_can_be_read(page: Path) -> None:
    for block in BLOCKS[page]:
        assert block.language in LANGUAGES, f"{block.place}: which language is it?"
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "toml":
            tomllib.loads(block.text)
