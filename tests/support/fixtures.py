"""Fixtures for tests with real agents; a conftest takes what it needs by importing the names.

from support.fixtures import claude_binary, scripted_llm
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.agents import installed_binary, load_pins, node_folder
from support.optional import skip_without
from support.scripted_llm import ScriptedLLM
from support.server import ServerProcess

__all__ = [
    "amp_binary",
    "claude_binary",
    "claude_env",
    "codex_binary",
    "codex_env",
    "make_server",
    "opencode_env",
    "pi_binary",
    "pi_env",
    "plain_env",
    "require_agent",
    "scripted_llm",
    "server",
    "server_url",
    "with_node",
]


@pytest.fixture
def scripted_llm() -> Iterator[ScriptedLLM]:
    """A scripted model endpoint of the test's own, with an empty request log."""
    with ScriptedLLM() as llm:
        yield llm


@pytest.fixture(scope="session")
def claude_binary() -> Path:
    """The pinned Claude Code."""
    return require_agent("claude")


@pytest.fixture(scope="session")
def amp_binary() -> Path:
    """The pinned Amp."""
    return require_agent("amp")


@pytest.fixture(scope="session")
def codex_binary() -> Path:
    """The pinned Codex."""
    return require_agent("codex")


@pytest.fixture(scope="session")
def pi_binary() -> Path:
    """The pinned Pi."""
    return require_agent("pi")


def require_agent(name: str) -> Path:
    """The installed binary; without it the test is skipped, except in CI, where it fails."""
    pin = load_pins()[name]
    if binary := installed_binary(pin):
        return binary
    skip_without(f"{pin.spec} is not installed: run `python scripts/install_test_agents.py`")


def plain_env(home: Path) -> dict[str, str]:
    """An environment built from nothing: no key, login or setting of this machine leaks in."""
    return {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "SHELL": "/bin/bash",
        "TERM": "dumb",
        "TMPDIR": tempfile.gettempdir(),
        "USER": "tester",
    }


def claude_env(home: Path, llm: ScriptedLLM) -> dict[str, str]:
    """What Claude Code needs to talk to `llm` and to nothing else. Retries once, not ten times."""
    return plain_env(home) | {
        "ANTHROPIC_API_KEY": "sk-ant-scripted",
        "ANTHROPIC_BASE_URL": llm.url,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_TELEMETRY": "1",
    }


def codex_env(home: Path, llm: ScriptedLLM) -> dict[str, str]:
    """What Codex needs to talk to `llm` and to nothing else. Retries once.

    The model is one that Codex does not know: to those it offers its tools one by one, where the known
    ones get a tool that runs JavaScript.
    """
    config = home / ".codex" / "config.toml"
    if not config.exists():
        config.parent.mkdir(parents=True, exist_ok=True)
        retries = ("request_max_retries = 1", "stream_max_retries = 1")
        provider = ("[model_providers.sandbox-agent]", 'name = "scripted"', *retries)
        config.write_text("\n".join(('model = "scripted"', *provider, "")), encoding="utf-8")
    temporary = home / "tmp"
    temporary.mkdir(exist_ok=True)
    return plain_env(home) | {
        "OPENAI_API_KEY": "sk-scripted",
        "OPENAI_BASE_URL": f"{llm.url}/v1",
        # In a home below the directory for temporary files Codex makes no helper programs, and a bubblewrap of
        # the system that is older than 0.9 then looks for one in vain.
        "TMPDIR": str(temporary),
    }


def pi_env(home: Path, llm: ScriptedLLM) -> dict[str, str]:
    """What Pi needs to talk to `llm` and to nothing else. Retries once, at once."""
    settings = home / ".pi" / "agent" / "settings.json"
    if not settings.exists():
        settings.parent.mkdir(parents=True, exist_ok=True)
        retry = {"maxRetries": 1, "baseDelayMs": 10, "provider": {"maxRetries": 0}}
        model = {"defaultProvider": "anthropic", "defaultModel": "claude-sonnet-4-5"}
        settings.write_text(json.dumps({**model, "retry": retry}), encoding="utf-8")
    return with_node(plain_env(home)) | {
        "ANTHROPIC_API_KEY": "sk-ant-scripted",
        "ANTHROPIC_BASE_URL": llm.url,
        "OPENAI_API_KEY": "sk-scripted",
        "OPENAI_BASE_URL": f"{llm.url}/v1",
    }


def opencode_env(home: Path, llm: ScriptedLLM, *, name: str = "opencode") -> dict[str, str]:
    """What OpenCode, or Kilo, needs to talk to `llm` and to nothing else.

    It knows two models, not the thousands that it brings along: reading those at each start takes a processor
    up to five seconds.
    """
    return plain_env(home) | {
        "ANTHROPIC_API_KEY": "sk-ant-scripted",
        "ANTHROPIC_BASE_URL": llm.url,
        f"{name.upper()}_DISABLE_DEFAULT_PLUGINS": "1",
        f"{name.upper()}_MODELS_PATH": str(Path(__file__).with_name("opencode_models.json")),
    }


def with_node(env: dict[str, str]) -> dict[str, str]:
    """First on its PATH the Node.js that is new enough for the agents that are JavaScript."""
    folder = node_folder()
    return env if folder is None else env | {"PATH": f"{folder}:{env['PATH']}"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of the test's own, stopped afterwards."""
    process = ServerProcess(tmp_path).start()
    yield process
    process.stop()


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """`make_server(config=…, arguments=…)`: not started, stopped afterwards."""
    made: list[ServerProcess] = []

    def make(**options: Any) -> ServerProcess:
        directory = tmp_path / f"server-{len(made)}"
        directory.mkdir()
        made.append(ServerProcess(directory, **options))
        return made[-1]

    yield make
    for process in made:
        process.stop()


@pytest.fixture
def server_url(tmp_path: Path) -> Iterator[str]:
    """A server that wants no token."""
    process = ServerProcess(tmp_path, token=None).start()
    yield process.url
    process.stop()
