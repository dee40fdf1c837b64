"""Agents that are installed from the Inspector, and the MCP servers and skills of a directory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe import Axe
from opening import OpenPage
from playwright.sync_api import expect
from sandbox_agent_core.inspector import find_inspector
from sandbox_agent_server.install.pins import find_pin
from sandbox_agent_server.runtime.platforms import this_platform
from support.npm_registry import NpmRegistry
from support.optional import skip_without
from support.server import ServerProcess

AGENT = "copilot"


@pytest.fixture(scope="module")
def registry() -> Iterator[NpmRegistry]:
    with NpmRegistry() as running:
        pin = find_pin(AGENT)
        package = pin.package_for(this_platform(), pin.version)
        program = f"#!/bin/sh\necho {pin.version}\n".encode()
        running.publish(package.name, package.version, {f"{package.path}*": program})
        running.publish(pin.package, pin.version, {})
        yield running


@pytest.fixture(scope="module")
def server(
    registry: NpmRegistry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    """One whose agents come from the small registry, and that finds none of this machine's."""
    if find_inspector() is None:
        skip_without("the Inspector is not built: make inspector")
    directory = tmp_path_factory.mktemp("agents")
    (directory / "home").mkdir()
    env = {
        "HOME": str(directory / "home"),
        "PATH": "/usr/bin:/bin",
        "NPM_CONFIG_REGISTRY": registry.url,
        "SANDBOX_AGENT_AGENTS_DIR": str(directory / "installed"),
        "SANDBOX_AGENT_REQUIRE_PREINSTALLED": "false",
    }
    server = ServerProcess(directory, env=env).start()
    yield server
    server.stop()


def test_an_agent_is_installed_and_one_sees_how_far_it_is(
    open_page: OpenPage, registry: NpmRegistry
) -> None:
    open_page.allow("40[0-9]|50[0-9]")
    page = open_page(f"/agents/{AGENT}")
    article = page.get_by_role("article")
    expect(article).to_contain_text("not installed")
    registry.failures[:] = [401]
    article.get_by_role("button", name="Install").click()
    card = page.get_by_role("region", name="Installation")
    expect(card).to_contain_text("It could not be installed")
    card.get_by_role("button", name="Try again").click()
    expect(card).to_contain_text("Downloading")
    expect(card.get_by_role("heading", name=re.compile("^Installed"))).to_be_visible()
    expect(article).to_contain_text(f"installed {find_pin(AGENT).version}")


def test_an_agent_says_what_it_offers_and_lacks(open_page: OpenPage, axe: Axe) -> None:
    page = open_page("/agents/mock")
    article = page.get_by_role("article")
    expect(article).to_contain_text("Mock Smart")
    expect(article).to_contain_text("loosens rules")
    assert axe(page) == []
    page.get_by_role("navigation", name="Agents").get_by_role("button", name="Claude Code").click()
    expect(page.get_by_role("article")).to_contain_text("ANTHROPIC_API_KEY")


def test_an_mcp_server_is_added_changed_and_removed(
    open_page: OpenPage, tmp_path: Path, axe: Axe
) -> None:
    open_page.allow("config/mcp.*")
    page = open_page("/config")
    page.get_by_role("textbox", name="Directory").fill(str(tmp_path))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add a server").click()
    dialog = page.get_by_role("dialog", name="Add an MCP server")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("Give it a name.")
    dialog.get_by_role("textbox", name="Name").fill("files")
    dialog.get_by_role("textbox", name="Program").fill("npx")
    dialog.get_by_role("textbox", name="Arguments").fill("-y 'a server'")
    dialog.get_by_role("button", name="Add a variable").click()
    dialog.get_by_role("textbox", name="Name 1").fill("KEY")
    dialog.get_by_role("textbox", name=re.compile("Value of KEY")).fill("secret-value")
    assert axe(page) == []
    dialog.get_by_role("button", name="Save").click()
    row = page.get_by_role("listitem").filter(has_text=re.compile("files"))
    expect(row).to_contain_text("npx -y a server")
    stored = tmp_path / ".sandbox-agent" / "config" / "mcp.json"
    assert json.loads(stored.read_text(encoding="utf-8"))["files"]["env"] == {"KEY": "secret-value"}

    page.get_by_role("button", name="Actions for files").click()
    page.get_by_role("menuitem", name="Edit").click()
    dialog = page.get_by_role("dialog", name="Edit MCP server")
    expect(dialog.get_by_label("Value of KEY")).to_have_attribute("type", "password")
    dialog.get_by_role("button", name="As JSON").click()
    field = dialog.get_by_role("textbox", name="JSON")
    field.fill(field.input_value().replace('"npx"', "12"))
    dialog.get_by_role("button", name="Save").click()
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill('{"type": "http", "url": "https://mcp.example/mcp"}')
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("https://mcp.example/mcp")

    page.get_by_role("button", name="Actions for files").click()
    page.get_by_role("menuitem", name="Remove").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No MCP servers here")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(row).to_contain_text("https://mcp.example/mcp")


def test_skills_are_added(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("/config")
    page.get_by_role("textbox", name="Directory").fill(str(tmp_path))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add skills").click()
    dialog = page.get_by_role("dialog", name="Add skills")
    dialog.get_by_role("textbox", name="Name").fill("house")
    dialog.get_by_role("textbox", name="Source").fill("./skills")
    expect(dialog).to_contain_text("A folder in the sandbox.")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("listitem").filter(has_text="house")).to_contain_text("./skills")
