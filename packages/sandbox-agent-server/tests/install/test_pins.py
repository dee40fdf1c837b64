"""The data file, and that the agents that are tested are those that are installed."""

from __future__ import annotations

import pytest
from sandbox_agent_core.errors import AgentNotInstallable, PlatformNotSupported
from sandbox_agent_server.agents.catalog import Catalog
from sandbox_agent_server.install.pins import VERSION_PATTERN, all_pins, find_pin, installable

PLATFORMS = ("linux-x64", "linux-arm64", "linux-x64-musl", "darwin-arm64")


def test_every_agent_of_the_catalogue_can_be_installed_or_says_why_not() -> None:
    for name in set(Catalog().names()) - {"mock"} - set(installable()):
        with pytest.raises(AgentNotInstallable) as caught:
            find_pin(name)
        assert "known" not in caught.value.details, f"{name} is not in versions.toml"


@pytest.mark.parametrize("name", installable())
def test_a_pin_is_complete(name: str) -> None:
    pin = all_pins()[name]
    assert VERSION_PATTERN.fullmatch(pin.version)
    assert pin.kind in ("native", "node", "python")
    assert bool(pin.platforms) == (pin.kind == "native")
    assert bool(pin.min_python) == (pin.kind == "python")
    package = pin.package_for("linux-x64", "1.2.3")
    assert "1.2.3" in package.version
    assert "{" not in package.spec + package.path


@pytest.mark.parametrize("platform", PLATFORMS)
def test_claude_codex_and_opencode_need_no_node_anywhere(platform: str) -> None:
    for name in ("claude", "codex", "opencode"):
        assert find_pin(name).kind == "native"
        assert find_pin(name).package_for(platform, "1.0.0").name


def test_a_platform_without_a_program_is_told_with_those_that_have_one() -> None:
    with pytest.raises(PlatformNotSupported, match="linux-x64") as caught:
        find_pin("claude").package_for("linux-riscv64", "1.0.0")
    assert caught.value.details["platform"] == "linux-riscv64"


def test_the_version_of_a_platform_can_be_a_version_of_its_own() -> None:
    package = find_pin("codex").package_for("linux-arm64-musl", "0.169.0")
    assert package.spec == "@openai/codex@0.169.0-linux-arm64"
