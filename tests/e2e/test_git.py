"""`/v1/git` of a server that runs: bodies, streams, and who may."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.git_http import GitHttpServer
from support.server import ServerProcess


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("git-house")).start()
    yield server
    server.stop()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """With one commit and one change after it."""
    place = tmp_path / "repo"
    place.mkdir()
    (place / "a.txt").write_text("one\n")
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", *who, *command], cwd=place, check=True, timeout=60)
    (place / "a.txt").write_text("two\n")
    return place


def events_of(answer: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    lines = [line for line in answer.iter_lines() if line.startswith(("event: ", "data: "))]
    return [
        (name[7:], json.loads(data[6:])) for name, data in zip(lines[::2], lines[1::2], strict=True)
    ]


def test_a_clone_answers_with_where_it_is(house: ServerProcess, repo: Path, tmp_path: Path) -> None:
    with house.client() as client:
        answer = client.post(
            "/v1/git/clone", json={"url": str(repo), "path": str(tmp_path / "clone")}
        )
    assert answer.status_code == 201
    assert answer.json()["path"] == str(tmp_path / "clone")
    assert answer.json()["branch"] == "main"


def test_a_clone_tells_its_progress_and_its_end(
    house: ServerProcess, repo: Path, tmp_path: Path
) -> None:
    with GitHttpServer(tmp_path) as remote, house.client() as client:
        body = {"url": f"{remote.url}/repo/.git", "path": str(tmp_path / "clone")}
        wanted = {"accept": "text/event-stream"}
        with client.stream("POST", "/v1/git/clone", json=body, headers=wanted) as answer:
            items = events_of(answer)
    assert (items[0][0], items[-1][0]) == ("progress", "completed")
    assert items[-1][1]["path"] == str(tmp_path / "clone")


def test_a_clone_that_fails_ends_its_stream_with_a_problem(
    house: ServerProcess, repo: Path, tmp_path: Path
) -> None:
    with (
        GitHttpServer(tmp_path, user="ada", password="long-password") as remote,
        house.client() as client,
    ):
        body = {"url": f"{remote.url}/repo/.git", "path": str(tmp_path / "clone")}
        wanted = {"accept": "text/event-stream"}
        with client.stream("POST", "/v1/git/clone", json=body, headers=wanted) as answer:
            items = events_of(answer)
    assert items[-1][0] == "error"
    assert items[-1][1]["type"].endswith(":git_auth_required")


def test_a_secret_that_is_refused_is_in_no_log(
    house: ServerProcess, repo: Path, tmp_path: Path
) -> None:
    with (
        GitHttpServer(tmp_path, user="ada", password="long-password") as remote,
        house.client() as client,
    ):
        body = {"url": f"{remote.url}/repo/.git", "credentials": {"token": "tok-that-is-wrong"}}
        answer = client.post("/v1/git/clone", json={**body, "path": str(tmp_path / "clone")})
        twice = client.post(
            "/v1/git/clone", json={**body, "credentials": {"password": "tok-that-is-wrong"}}
        )
    assert (answer.status_code, twice.status_code) == (424, 400)
    for text in (answer.text, twice.text, house.log()):
        assert "tok-that-is-wrong" not in text


def test_status_and_diff(house: ServerProcess, repo: Path) -> None:
    with house.client() as client:
        status = client.get("/v1/git/status", params={"path": str(repo)}).json()
        diff = client.get("/v1/git/diff", params={"path": str(repo), "context": 0}).json()
        patch = client.get("/v1/git/diff", params={"path": str(repo), "format": "patch"})
    assert status["files"] == [
        {"path": "a.txt", "status": "modified", "additions": 1, "deletions": 1, "binary": False}
    ]
    assert diff["totals"] == {"files": 1, "additions": 1, "deletions": 1}
    assert diff["patch"].startswith("diff --git a/a.txt b/a.txt")
    assert patch.headers["content-type"].startswith("text/x-diff")
    assert (patch.text, patch.headers["x-truncated"]) == (diff["patch"], "false")


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"path": "/nowhere-at-all"}, 404, "path_not_found"),
        ({"path": "/"}, 404, "git_repository_not_found"),
        ({"path": "REPO", "base": "nothing"}, 404, "git_ref_not_found"),
        ({"path": "REPO", "context": "-1"}, 400, "invalid_request"),
        ({"path": "REPO", "format": "xml"}, 400, "invalid_request"),
        ({"path": "REPO", "paths": "/etc"}, 400, "invalid_request"),
        ({"path": "a\0b"}, 400, "invalid_request"),
    ],
)
def test_what_cannot_be_answered_says_why(
    house: ServerProcess, repo: Path, params: dict[str, str], status: int, code: str
) -> None:
    given = {name: value.replace("REPO", str(repo)) for name, value in params.items()}
    with house.client() as client:
        answer = client.get("/v1/git/diff", params=given)
    assert (answer.status_code, answer.json()["type"]) == (
        status,
        f"urn:sandbox-agent:error:{code}",
    )


def test_a_token_without_host_may_not(house: ServerProcess, repo: Path) -> None:
    with house.client() as client:
        token = client.post("/v1/tokens", json={"actor": "reader", "scopes": ["read"]}).json()[
            "token"
        ]
    answer = httpx.get(
        f"{house.url}/v1/git/status",
        params={"path": str(repo)},
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 403
