"""`client.git`, `session.diff` and `start(workspace=…)`, with the real git, and `sandbox-agent diff`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import GitCloneProgress, SandboxAgentSync, Workspace
from sandbox_agent_client.errors import (
    GitAuthRequired,
    GitRepositoryNotFound,
    InvalidRequest,
    WorkspaceSetupFailed,
)
from support.git_http import GitHttpServer
from support.server import ServerProcess, until

AGENT = Path(__file__).parents[1] / "support/shell_agent.py"
CONFIG = f'[agents.shell]\ncommand = ["{sys.executable}", "{AGENT}"]\n'
SECRET = "s3cret-of-the-repository"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("workspace-house"), config=CONFIG).start()
    yield server
    server.stop()


@pytest.fixture
def client(house: ServerProcess) -> Iterator[SandboxAgentSync]:
    with SandboxAgentSync.connect(house.url, token=house.token) as client:
        yield client


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A repository of one commit, below a directory of its own."""
    place = tmp_path / "served/app"
    place.mkdir(parents=True)
    (place / "main.py").write_text("print(1)\n")
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", *who, *command], cwd=place, check=True, timeout=60)
    return place


def test_a_clone_with_its_progress_and_what_changes_then(
    client: SandboxAgentSync, app: Path, tmp_path: Path
) -> None:
    told: list[GitCloneProgress] = []
    with GitHttpServer(app.parent, user="ada", password=SECRET) as remote:
        url = f"{remote.url}/app/.git"
        with pytest.raises(GitAuthRequired):
            client.git.clone(url, tmp_path / "clone")
        done = client.git.clone(
            url,
            tmp_path / "clone",
            credentials={"username": "ada", "password": SECRET},
            on_progress=told.append,
        )
    assert (done.branch, told[0].phase) == ("main", "connecting")
    clone = Path(done.path)
    (clone / "main.py").write_text("print(2)\n")
    (clone / "other.py").write_text("x\n")

    status = client.git.status(clone)
    diff = client.git.diff(clone, paths=["main.py"], context=0)

    assert [(file.path, file.status) for file in status.files] == [
        ("main.py", "modified"), ("other.py", "added"),
    ]  # fmt: skip
    assert [file.path for file in diff.files] == ["main.py"]
    assert "+print(2)" in diff.patch
    assert [file.path for file in client.git.diff(clone, paths=["main.py", "other.py"]).files] == [
        "main.py", "other.py",
    ]  # fmt: skip
    with pytest.raises(GitRepositoryNotFound):
        client.git.status("/")


def test_what_a_session_and_a_turn_have_changed(client: SandboxAgentSync, app: Path) -> None:
    session = client.create_session("shell", cwd=app)
    first = session.prompt("echo 1 > one")
    session.prompt("echo 2 > two")

    assert [file.path for file in session.diff(first.turn_id).files] == ["one"]
    assert [file.path for file in session.diff().files] == ["one", "two"]
    assert session.turn(first.turn_id).diff().totals.additions == 1


def test_a_workspace_is_there_before_anybody_works(app: Path, tmp_path: Path) -> None:
    (tmp_path / "fixtures").mkdir()
    (tmp_path / "fixtures/a.json").write_text("{}")
    lines: list[str] = []
    workspace = Workspace(
        repo=str(app),
        path=str(tmp_path / "work"),
        files={"notes/hello.txt": "hello", "raw.bin": b"\0\1", "data": tmp_path / "fixtures"},
        env={"WHO": "Ada"},
        setup=['printf "%s" "$WHO" > who', ["touch", "done file"]],
    )
    with SandboxAgentSync.start("local", workspace=workspace, report=lines.append) as client:
        session = client.create_session("mock")
        assert session.info.cwd == client.workspace == str(tmp_path / "work")
    found = {
        str(path.relative_to(tmp_path / "work")): path.read_bytes()
        for path in (tmp_path / "work").rglob("*")
        if path.is_file() and ".git" not in path.parts
    }
    assert found == {
        "main.py": b"print(1)\n", "notes/hello.txt": b"hello", "raw.bin": b"\0\1",
        "data/a.json": b"{}", "who": b"Ada", "done file": b"",
    }  # fmt: skip
    assert any("cloning" in line for line in lines)
    assert any("running touch done file" in line for line in lines)


def test_a_setup_that_fails_says_what_it_wrote_and_leaves_nothing(
    app: Path, tmp_path: Path
) -> None:
    target = tmp_path / "work"
    workspace = Workspace(
        repo=str(app), path=str(target), setup=["true", "echo no such thing >&2; exit 3", "touch x"]
    )
    before = local_servers()
    with pytest.raises(WorkspaceSetupFailed) as caught:
        SandboxAgentSync.start("local", workspace=workspace)
    assert caught.value.details["exitCode"] == 3
    assert "no such thing" in caught.value.message
    assert not target.exists()
    until(lambda: local_servers() == before)


def local_servers() -> set[str]:
    from sandbox_agent_client._data_dir import data_dir

    place = Path(data_dir())
    return {str(path) for path in place.glob("*/*")} if place.exists() else set()


@pytest.mark.parametrize("suffix", [".json", ".toml", ".yaml"])
def test_a_workspace_is_read_from_a_file(tmp_path: Path, suffix: str) -> None:
    texts = {
        ".json": json.dumps(
            {"repo": "https://h/a", "files": {"b": {"from": "c"}, "d": "e"}, "setup": ["x"]}
        ),
        ".toml": 'repo = "https://h/a"\nsetup = ["x"]\n[files]\nb = {from = "c"}\nd = "e"\n',
        ".yaml": "repo: https://h/a\nsetup: [x]\nfiles:\n  b: {from: c}\n  d: e\n",
    }
    if suffix == ".yaml":
        pytest.importorskip("yaml")
    file = tmp_path / f"workspace{suffix}"
    file.write_text(texts[suffix])
    expected = Workspace(repo="https://h/a", files={"b": tmp_path / "c", "d": "e"}, setup=["x"])
    assert Workspace.load(file) == expected


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"rep": "x"}, "rep"), ({"setup": "make"}, "setup"), ({"files": {"a": 1}}, "files"),
        ({"ref": "main"}, "repo"), ([], "object"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_manifest_is_named(tmp_path: Path, members: Any, word: str) -> None:
    file = tmp_path / "w.json"
    file.write_text(json.dumps(members))
    with pytest.raises(InvalidRequest, match=word):
        Workspace.load(file)


def cli(house: ServerProcess, *args: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("sandbox-agent")
    import os

    env = {**os.environ, "SANDBOX_AGENT_URL": house.url, "SANDBOX_AGENT_TOKEN": house.token or ""}
    return subprocess.run(
        [program, *args], env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_line_shows_a_session_and_a_directory(
    house: ServerProcess, client: SandboxAgentSync, app: Path
) -> None:
    session = client.create_session("shell", cwd=app)
    session.prompt("echo 1 > one")

    patch = cli(house, "diff", session.id)
    stat = cli(house, "diff", f"{app}/", "--stat")
    as_json = cli(house, "diff", session.id, "--json")
    nothing = cli(house, "diff", "ses_nothing")

    assert patch.stdout.startswith("diff --git a/one b/one")
    assert "A one" in stat.stdout
    assert "1 file changed, +1 -0" in stat.stderr
    assert json.loads(as_json.stdout)["totals"]["files"] == 1
    assert (nothing.returncode, "session" in nothing.stderr) == (2, True)
