"""What a real agent does, as its cards show it. The model is scripted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opening import OpenPage
from playwright.sync_api import expect
from support.fixtures import pi_binary, pi_env
from support.scripted_llm import ScriptedLLM
from support.server import ServerProcess

__all__ = ["pi_binary"]

pytestmark = pytest.mark.real_agent


@pytest.fixture(scope="module")
def llm() -> Iterator[ScriptedLLM]:
    with ScriptedLLM() as llm:
        yield llm


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, pi_binary: Path, llm: ScriptedLLM
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("real")
    home = folder / "home"
    home.mkdir()
    config = f'[agents.pi]\ncommand = ["{pi_binary}"]\n'
    server = ServerProcess(folder, config=config, env=pi_env(home, llm)).start()
    yield server
    server.stop()


def test_a_command_of_pi_has_its_line_and_what_it_printed(
    server: ServerProcess, open_page: OpenPage, tmp_path: Path
) -> None:
    with httpx.Client(base_url=server.url, headers=server.headers, timeout=60) as client:
        body = {"agent": "pi", "cwd": str(tmp_path), "permissionPolicy": {"default": "allow"}}
        session = client.post("/v1/sessions", json=body).raise_for_status().json()["id"]
        prompt = {"text": "SCENARIO:tool SHELL<<printf 'one\\ntwo\\n'; exit 3>>"}
        path = f"/v1/sessions/{session}/prompt"
        client.post(path, params={"wait": True}, json=prompt).raise_for_status()
    page = open_page(f"/s/{session}")
    card = page.locator("[data-tool]")
    expect(card).to_contain_text("exit 3")
    expect(card.locator("pre")).to_contain_text("one")
    expect(card.locator("pre")).to_contain_text("two")
    expect(card.get_by_role("button").first).to_contain_text("printf")
