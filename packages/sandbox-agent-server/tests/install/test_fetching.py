"""Reading what somebody names: from where, how much, and that it is what was announced."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import pytest
from sandbox_agent_core.errors import InstallFailed, InstallForbidden, IntegrityMismatch
from sandbox_agent_server.install.fetching import MAX_REDIRECTS, Fetcher

URL = "https://registry.example/agent.json"


def serving(answers: dict[str, httpx.Response]) -> Fetcher:
    def answer(request: httpx.Request) -> httpx.Response:
        return answers.get(str(request.url), httpx.Response(404))

    return Fetcher(may_use_network=True, transport=httpx.MockTransport(answer))


def moved(to: str) -> httpx.Response:
    return httpx.Response(302, headers={"location": to})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a file.json"
    path.write_text("content", encoding="utf-8")
    return path


def test_files_are_read_by_path_and_by_address(file: Path) -> None:
    fetcher = Fetcher(may_use_network=False)

    for source in (str(file), file.as_uri()):
        assert fetcher.text(source, max_bytes=7) == "content"


def test_an_address_is_followed_to_where_it_leads() -> None:
    fetcher = serving(
        {URL: moved("/other"), "https://registry.example/other": httpx.Response(200, text="x")}
    )

    assert fetcher.text(URL, max_bytes=10) == "x"


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({}, "404"),
        ({URL: moved("http://registry.example/")}, "not https"),
        ({URL: moved("file:///etc/passwd")}, "not https"),
        ({URL: moved(URL)}, f"more than {MAX_REDIRECTS} times"),
        ({URL: httpx.Response(200, content=b"x" * 101)}, "larger than 100"),
        ({URL: httpx.Response(200, content=b"\xff")}, "no text"),
    ],
)
def test_what_cannot_be_read_is_told(answers: dict[str, httpx.Response], message: str) -> None:
    with pytest.raises(InstallFailed, match=message):
        serving(answers).text(URL, max_bytes=100)


@pytest.mark.parametrize(
    "source",
    ["http://registry.example/a", "ftp://x/a", "file://host/a", "not-there", "/", "https://["],
)
def test_nothing_is_read_from_elsewhere(source: str) -> None:
    with pytest.raises(InstallFailed):
        serving({}).text(source, max_bytes=100)


def test_where_nothing_may_come_from_the_network_nothing_is_asked() -> None:
    with pytest.raises(InstallForbidden):
        Fetcher(may_use_network=False).text(URL, max_bytes=100)


def test_a_file_is_compared_with_its_checksum(file: Path, tmp_path: Path) -> None:
    fetcher, target = Fetcher(may_use_network=False), tmp_path / "target"
    right = hashlib.sha256(b"content").hexdigest()

    fetcher.file(str(file), target, max_bytes=100, sha256=right)
    assert target.read_text(encoding="utf-8") == "content"

    with pytest.raises(IntegrityMismatch, match=right):
        fetcher.file(str(file), target, max_bytes=100, sha256="0" * 64)
    assert not target.exists()
