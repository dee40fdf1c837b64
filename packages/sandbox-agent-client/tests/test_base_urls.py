"""`base_url` of a session from Python and from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import Endpoint, SandboxAgent
from sandbox_agent_client.cli.assignments import base_urls
from sandbox_agent_client.errors import InvalidRequest, ValueNotSupported
from typer import BadParameter

PROGRAM = str(Path(sys.executable).parent / "sandbox-agent")


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], None),
        (["https://gw.example/a=b"], "https://gw.example/a=b"),
        (["openai=https://gw.example/a=b"], {"openai": "https://gw.example/a=b"}),
        (["a=http://a", "b=http://b"], {"a": "http://a", "b": "http://b"}),
    ],
)
def test_options_name_a_provider_or_mean_the_main_one(items: list[str], expected: Any) -> None:
    assert base_urls(items) == expected


def test_several_without_their_providers_are_refused() -> None:
    with pytest.raises(BadParameter):
        base_urls(["http://a", "b=http://b"])


async def test_what_an_agent_cannot_take_is_refused(client: SandboxAgent) -> None:
    with pytest.raises(ValueNotSupported):
        await client.create_session("mock", base_url="https://gateway.example")
    with pytest.raises(InvalidRequest) as caught:
        await client.create_session("mock", base_url={"openai": "https://me:hush-hush@gw.example"})
    assert "hush-hush" not in f"{caught.value!r} {caught.value.__cause__}"


def test_the_command_line_says_what_is_wrong(endpoint: Endpoint, tmp_path: Path) -> None:
    environ = {
        "HOME": str(tmp_path), "PATH": os.environ["PATH"],
        "SANDBOX_AGENT_URL": endpoint.url, "SANDBOX_AGENT_TOKEN": endpoint.token or "",
    }  # fmt: skip
    done = subprocess.run(
        [PROGRAM, "run", "--agent", "mock", "--base-url", "openai=https://gw.example", "hello"],
        env=environ,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 2, done.stderr
    assert "cannot be given a base URL for provider 'openai'" in done.stderr
