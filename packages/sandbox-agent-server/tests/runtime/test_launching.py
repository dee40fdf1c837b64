"""How a program is started: the same in the directory of the server, where it is cheap, as in any other."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_agent_server.runtime.launching import launch

WHERE = pytest.mark.parametrize("is_here", [True, False], ids=["here", "elsewhere"])
REPORT = """
import os
print(os.getsid(0) == os.getpid())
print(sorted(os.listdir("/proc/self/fd")))
print(os.getcwd(), os.environ.get("GIVEN"), len(os.environ))
"""


def told(argv: list[str], cwd: Path, env: dict[str, str], *, input: bytes = b"") -> tuple[bytes, bytes, int]:  # fmt: skip
    started = launch(argv, cwd, env, None)
    assert started.stdin is not None
    assert started.stdout is not None
    assert started.stderr is not None
    with started.stdin as stdin, started.stdout as stdout, started.stderr as stderr:
        stdin.write(input)
        stdin.close()
        return stdout.read(), stderr.read(), started.wait(30)


@pytest.fixture
def directory(is_here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if is_here:
        monkeypatch.chdir(tmp_path)
    return tmp_path


@WHERE
def test_a_program_leads_a_session_with_three_pipes_and_nothing_else_of_ours(
    directory: Path,
) -> None:
    env = {"PATH": str(Path(sys.executable).parent), "GIVEN": "yes"}
    out, err, code = told([Path(sys.executable).name, "-ISc", REPORT], directory, env)
    leads, descriptors, place = out.decode().splitlines()
    assert (err, code, leads) == (b"", 0, "True")
    # The fourth is that of the listing itself.
    assert descriptors == "['0', '1', '2', '3']"
    assert place.startswith(f"{directory} yes ")
    ignored = told(["grep", "SigIgn", "/proc/self/status"], directory, {"PATH": "/usr/bin:/bin"})[0]
    pythons = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1
    assert not int(ignored.split()[1], 16) & pythons, "Python ignores them, its children must not"


@WHERE
def test_it_reads_and_ends_as_it_is_told(directory: Path) -> None:
    env = {"PATH": "/usr/bin:/bin"}
    assert told(["sh", "-c", "cat; exit 3"], directory, env, input=b"in") == (b"in", b"", 3)
    assert told(["sh", "-c", "kill -9 $$"], directory, env)[2] == -signal.SIGKILL


@WHERE
def test_it_is_looked_for_on_the_path_that_it_gets(directory: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    (first / "tool").mkdir(parents=True)
    second.mkdir()
    (second / "tool").write_text("#!/bin/sh\necho found $0\n")
    (second / "tool").chmod(0o755)
    (directory / "beside").write_text("#!/bin/sh\necho beside\n")
    (directory / "beside").chmod(0o755)
    env = {"PATH": f"/nowhere:{first}:{second}"}
    assert told(["tool"], directory, env)[0] == f"found {second}/tool\n".encode()
    assert told(["./beside"], directory, env)[0] == b"beside\n"
    assert told(["beside"], directory, {"PATH": f"{first}:."})[0] == b"beside\n"


@WHERE
def test_what_cannot_be_started_leaves_no_descriptor(directory: Path) -> None:
    (directory / "no-program").write_text("no program\n")
    (directory / "not-executable").write_text("#!/bin/sh\n")
    (directory / "no-program").chmod(0o755)
    before = len([*Path("/proc/self/fd").iterdir()])
    for argv, expected in (
        (["nosuchcmd"], FileNotFoundError),
        (["./nosuchcmd"], FileNotFoundError),
        (["./no-program"], OSError),
        (["./not-executable"], PermissionError),
        (["true", "x" * 3_000_000], OSError),
        (["true", "a\0b"], ValueError),
    ):
        with pytest.raises(expected):
            launch(argv, directory, {"PATH": "/usr/bin:/bin"}, None)
    with pytest.raises(FileNotFoundError):
        launch(["true"], directory / "nowhere", {"PATH": "/usr/bin:/bin"}, None)
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_a_server_without_stdin_starts_programs_that_have_one() -> None:
    program = f"""
import os, sys
sys.path[:0] = {sys.path!r}
from sandbox_agent_server.runtime.launching import launch
os.close(0)
started = launch(["sh", "-c", "cat; echo err >&2"], ".", dict(os.environ), None)
started.stdin.write(b"in"); started.stdin.close()
assert (started.stdout.read(), started.stderr.read(), started.wait(30)) == (b"in", b"err\\n", 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
