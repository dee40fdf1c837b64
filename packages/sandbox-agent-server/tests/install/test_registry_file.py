"""What a file of the ACP registry says, and what is not believed of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox_agent_core.errors import InstallFailed, PlatformNotSupported
from sandbox_agent_server.install.registry_file import choose_distribution, parse_registry

SHA256 = "ab" * 32
BINARY = {"archive": "https://x.example/a.tgz", "cmd": "./bin/a", "args": ["acp"]}


def entry(distribution: Any, **changes: Any) -> dict[str, Any]:
    return {
        "id": "a",
        "name": "An Agent",
        "version": "1.2.3",
        "distribution": distribution,
    } | changes


def chosen(distribution: Any, platform: str = "linux-x64") -> Any:
    (found,) = parse_registry(json.dumps(entry(distribution)))
    return choose_distribution(found, platform)


def test_a_package_of_npm_is_pinned() -> None:
    npx = {"package": "@scope/a-cli@2.0.0", "args": ["--acp"], "env": {"A": "b"}}

    found = chosen({"npx": npx, "binary": {}})

    assert (found.kind, found.package, found.version) == ("npx", "@scope/a-cli", "2.0.0")
    assert (found.program, found.args, dict(found.env)) == ("a-cli", ("--acp",), {"A": "b"})
    assert chosen({"npx": {"package": "a"}}).version == "1.2.3"
    assert chosen({"npx": {"package": "a@latest"}}).version == "1.2.3"


@pytest.mark.parametrize("spec", ["an-agent==2.0", "an-agent@2.0"])
def test_a_package_of_pypi_is_pinned(spec: str) -> None:
    found = chosen({"uvx": {"package": spec}})

    assert (found.kind, found.package, found.version) == ("uvx", "an-agent", "2.0")


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("linux-x64", "linux-x86_64"),
        ("linux-arm64-musl", "linux-aarch64"),
        ("darwin-arm64", "darwin-aarch64"),
    ],
)
def test_a_binary_is_that_of_the_platform(platform: str, name: str) -> None:
    found = chosen({"binary": {name: {**BINARY, "sha256": SHA256}}}, platform)

    assert (found.kind, found.archive, found.program) == ("binary", BINARY["archive"], "bin/a")
    assert found.sha256 == SHA256
    with pytest.raises(PlatformNotSupported, match=name):
        chosen({"binary": {name: BINARY}}, "linux-riscv64")


def test_a_file_can_describe_many() -> None:
    agents = [entry({"npx": {"package": "a"}}, id=id) for id in ("one", "two")]

    for document in (agents, {"version": "1", "agents": agents}):
        assert [each.id for each in parse_registry(json.dumps(document))] == ["one", "two"]


@pytest.mark.parametrize(
    "document",
    [
        "no JSON", "[" * 100_000, "7", "[7]", "{}",
        entry({}, id="../evil"), entry({}, id="A"), entry({}, id="x" * 65), entry({}, id=None),
        entry({}, version="../1"), entry({}, version=1), entry("npx"),
    ],
    ids=lambda document: str(document)[:30],
)  # fmt: skip
def test_what_is_no_registry_file_is_refused(document: Any) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(InstallFailed, match="no file of the ACP registry"):
        parse_registry(text)


@pytest.mark.parametrize(
    "distribution",
    [
        {},
        {"docker": {}},
        {"npx": {"package": "git+https://evil.example/x"}},
        {"npx": {"package": "--registry=https://evil.example"}},
        {"npx": {"package": "../here"}},
        {"npx": {"package": "a", "args": "--acp"}},
        {"npx": {"package": "a", "args": [1]}},
        {"npx": {"package": "a", "env": {"A=B": "c"}}},
        {"npx": {"package": "a", "env": ["A"]}},
        {"uvx": {"package": "a @ https://evil.example/x.whl"}},
        {"uvx": {"package": "-r file"}},
        {"uvx": 7},
        {"binary": {"linux-x86_64": {"archive": "https://x.example"}}},
        {"binary": {"linux-x86_64": {**BINARY, "cmd": "../sh"}}},
        {"binary": {"linux-x86_64": {**BINARY, "cmd": "/bin/sh"}}},
        {"binary": {"linux-x86_64": {**BINARY, "sha256": "md5"}}},
    ],
    ids=str,
)
def test_a_distribution_that_cannot_be_meant_is_refused(distribution: Any) -> None:
    with pytest.raises(InstallFailed):
        chosen(distribution)
