"""What a turn has done to the files, told after its end: of a repository and of none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.server import ServerProcess, until

AGENT = Path(__file__).parents[1] / "support/shell_agent.py"
CONFIG = f'[agents.shell]\ncommand = ["{sys.executable}", "{AGENT}"]\n'


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("diff-house"), config=CONFIG).start()
    yield server
    server.stop()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    place = tmp_path / "workspace"
    place.mkdir()
    return place


def git(place: Path, *args: str) -> str:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(
        ["git", *who, *args], cwd=place, check=True, timeout=60, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repo(workspace: Path) -> Path:
    (workspace / "a.txt").write_text("one\n")
    (workspace / ".gitignore").write_text("*.log\n")
    git(workspace, "init", "-q", "-b", "main")
    git(workspace, "add", "-A")
    git(workspace, "commit", "-q", "-m", "first")
    return workspace


def diffs(house: ServerProcess, session_id: str, count: int) -> list[dict[str, Any]]:
    """So many, waited for: they come after the ends of their turns."""
    until(lambda: len(house.events(session_id, "turn.diff")) >= count)
    return house.events(session_id, "turn.diff")


def shell(house: ServerProcess, cwd: Path, **body: Any) -> str:
    return house.create("shell", cwd=str(cwd), **body)


def get_diff(house: ServerProcess, session_id: str, **params: str) -> dict[str, Any]:
    with house.client() as client:
        answer = client.get(f"/v1/sessions/{session_id}/diff", params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_turn_tells_what_a_command_has_changed(house: ServerProcess, repo: Path) -> None:
    (repo / "a.txt").write_text("dirty before\n")
    session = shell(house, repo)

    turn = house.prompt(session, "echo two >> a.txt; echo n > new.txt; echo l > x.log")

    (told,) = diffs(house, session, 1)
    assert told["turnId"] == turn["turnId"]
    data = told["data"]
    assert (data["path"], data["truncated"]) == (str(repo), False)
    assert data["files"] == [
        {"path": "a.txt", "status": "modified", "additions": 1, "deletions": 0},
        {"path": "new.txt", "status": "added", "additions": 1, "deletions": 0, "mode": "100644"},
    ]
    assert " dirty before\n+two\n" in data["patch"]
    order = [event["type"] for event in house.events(session)]
    assert order.index("turn.diff") == order.index("turn.ended") + 1


def test_a_commit_changes_no_file_and_its_turn_tells_what_did(
    house: ServerProcess, repo: Path
) -> None:
    session = shell(house, repo)
    commit = "git -c user.name=A -c user.email=a@b.c commit -q -a -m x"
    house.prompt(session, f"echo two >> a.txt; {commit}")
    house.prompt(session, "git reset -q --hard HEAD; true")
    assert get_diff(house, session)["totals"] == {"files": 1, "additions": 1, "deletions": 0}
    assert len(house.events(session, "turn.diff")) == 1


def test_a_workspace_that_is_no_repository_is_as_good(
    house: ServerProcess, workspace: Path
) -> None:
    session = shell(house, workspace)
    house.prompt(session, "true")
    house.prompt(session, "mkdir sub; echo 1 > sub/one; echo 1 > two")
    house.prompt(session, "rm two; echo 2 >> sub/one")

    first, second = (told["data"] for told in diffs(house, session, 2))

    assert [(file["path"], file["status"]) for file in first["files"]] == [
        ("sub/one", "added"), ("two", "added"),
    ]  # fmt: skip
    assert [(file["path"], file["status"]) for file in second["files"]] == [
        ("sub/one", "modified"), ("two", "deleted"),
    ]  # fmt: skip
    assert not (workspace / ".git").exists()
    whole = get_diff(house, session)
    assert [file["path"] for file in whole["files"]] == ["sub/one"]
    assert len(whole["turnIds"]) == 2


def test_what_was_done_between_turns_is_no_turns(house: ServerProcess, repo: Path) -> None:
    session = shell(house, repo)
    house.prompt(session, "echo 1 > mine")
    diffs(house, session, 1)
    (repo / "theirs").write_text("t\n")
    house.prompt(session, "echo 2 > mine")
    second = diffs(house, session, 2)[1]["data"]
    assert [file["path"] for file in second["files"]] == ["mine"]


def test_turns_in_a_row_each_have_their_own(house: ServerProcess, repo: Path) -> None:
    session = shell(house, repo)
    for number in range(4):
        house.prompt(session, f"echo {number} > file{number}", wait=False)
    told = diffs(house, session, 4)
    assert [one["data"]["files"][0]["path"] for one in told] == [f"file{n}" for n in range(4)]


def test_a_session_that_wants_none_has_none(house: ServerProcess, repo: Path) -> None:
    session = shell(house, repo, diffs=False)
    turn = house.prompt(session, "echo 1 > mine")
    assert get_diff(house, session, turn=turn["turnId"])["files"] == []
    assert house.events(session, "turn.diff") == []


def test_one_turn_is_asked_for_and_a_long_patch_is_told_in_full(
    house: ServerProcess, repo: Path
) -> None:
    session = shell(house, repo)
    turn = house.prompt(session, "seq 1 60000 > long.txt")
    (told,) = diffs(house, session, 1)
    assert told["data"]["truncated"]
    assert 0 < len(told["data"]["patch"]) <= 128 * 1024

    found = get_diff(house, session, turn=turn["turnId"])

    assert not found["truncated"]
    assert found["patch"].endswith("+60000\n")
    with house.client() as client:
        missing = client.get(f"/v1/sessions/{session}/diff", params={"turn": "turn_none"})
    assert missing.status_code == 404


def test_it_is_folded_into_the_transcript(house: ServerProcess, repo: Path) -> None:
    session = shell(house, repo)
    house.prompt(session, "echo 1 > mine")
    diffs(house, session, 1)
    with house.client() as client:
        turn = client.get(f"/v1/sessions/{session}/transcript").json()["turns"][-1]
    assert turn["changes"]["totals"] == {"files": 1, "additions": 1, "deletions": 0}
    assert "patch" not in turn["changes"]


def test_a_session_that_is_ended_at_once_still_tells(house: ServerProcess, repo: Path) -> None:
    session = shell(house, repo)
    house.prompt(session, "echo 1 > mine")
    with house.client() as client:
        client.delete(f"/v1/sessions/{session}")
    types = [event["type"] for event in house.events(session)]
    assert types[-1] == "session.ended"
    assert "turn.diff" in types


def test_files_that_make_git_wait_cost_the_diff_and_not_the_turn(
    tmp_path: Path, repo: Path
) -> None:
    config = CONFIG + "[limits]\nturn_diff_hold_s = 0.2\nturn_diff_timeout_s = 0.5\n"
    server = ServerProcess(tmp_path, config=config).start()
    try:
        subprocess.run(["mkfifo", repo / "sub.gitignore"], check=True)
        (repo / "sub").mkdir()
        (repo / "sub.gitignore").rename(repo / "sub/.gitignore")
        session = shell(server, repo)
        assert server.prompt(session, "echo 1 > mine")["stopReason"] == "end_turn"
        (told,) = diffs(server, session, 1)
        assert told["data"]["skipped"] == "slow"
        assert (repo / "mine").exists()
    finally:
        server.stop()


def test_no_prompt_waits_in_vain_twice(tmp_path: Path, repo: Path) -> None:
    config = CONFIG + "[limits]\nturn_diff_hold_s = 2\n"
    server = ServerProcess(tmp_path, config=config).start()
    try:
        (repo / "sub").mkdir()
        os.mkfifo(repo / "sub/.gitignore")
        session = shell(server, repo)
        server.prompt(session, "echo 1 > mine")
        (repo / "sub/.gitignore").write_text("")  # now git gets to read it
        (repo / "sub/.gitignore").unlink()
        assert diffs(server, session, 1)[0]["data"]["skipped"] == "slow"
        server.prompt(session, "echo 2 > mine")
        assert diffs(server, session, 2)[1]["data"]["skipped"] == "slow"
        server.prompt(session, "echo 3 > mine")
        assert [file["path"] for file in diffs(server, session, 3)[2]["data"]["files"]] == ["mine"]
    finally:
        server.stop()


def test_too_much_is_said_and_what_is_kept_goes_with_the_session(
    tmp_path: Path, workspace: Path
) -> None:
    config = CONFIG + "[limits]\nmax_diff_tree_files = 5\nmax_turn_diff_files = 1\n"
    server = ServerProcess(tmp_path, config=config).start()
    try:
        session = shell(server, workspace)
        server.prompt(session, "echo 1 > one; echo 2 > two")
        kept = server.data_dir / "sessions" / session / "files"
        data = diffs(server, session, 1)[0]["data"]
        assert ([file["path"] for file in data["files"]], data["truncated"]) == (["one"], True)
        assert data["totals"]["files"] == 2
        assert kept.is_dir()
        server.prompt(session, "for n in 1 2 3 4 5 6; do echo $n > file$n; done")
        assert diffs(server, session, 2)[1]["data"]["skipped"] == "too_much"
        with server.client() as client:
            client.delete(f"/v1/sessions/{session}", params={"purge": "true"})
        assert not kept.exists()
    finally:
        server.stop()


def test_after_a_restart_it_goes_on_where_it_was(tmp_path: Path, repo: Path) -> None:
    server = ServerProcess(tmp_path, config=CONFIG).start()
    try:
        session = shell(server, repo)
        server.prompt(session, "echo 1 > mine")
        diffs(server, session, 1)
        server.kill()
        server.start()
        server.prompt(session, "echo 2 > mine")
        second = diffs(server, session, 2)[1]["data"]
        assert [file["status"] for file in second["files"]] == ["modified"]
        assert "+2" in get_diff(server, session)["patch"]
    finally:
        server.stop()
