"""The local provider: processes that start, fail to start, and end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx
import pytest
from sandbox_agent_client import Confinement, LocalProvider, SandboxAgent, SandboxSpec, errors
from sandbox_agent_client.sandboxes.local import provider, server
from support.bubblewrap import bubblewrap

__all__ = ["bubblewrap"]
from sandbox_agent_client.sandboxes.plugins import find_provider
from support.server import until


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_the_sandbox_is_gone_after_the_block() -> None:
    async with SandboxAgent.start("local") as client:
        assert client.sandbox_ref is not None
        assert client.sandbox_ref.provider == "local"
        pid = client.sandbox_ref.metadata["pid"]
        assert is_running(pid)
        assert os.getpgid(pid) == pid != os.getpgid(0)
        assert client.token
        assert client.token not in Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    assert not is_running(pid)


async def test_a_sandbox_can_be_kept_and_destroyed_later() -> None:
    provider = LocalProvider()
    async with SandboxAgent.start(provider, keep=True) as client:
        ref = client.sandbox_ref
    assert ref is not None
    endpoint = await provider.endpoint(ref)
    async with SandboxAgent.connect(endpoint.url, token=endpoint.token) as again:
        assert (await again.health()).status == "ok"
        with pytest.raises(errors.NoSandbox):
            await again.destroy_sandbox()
    await provider.destroy(ref)
    await provider.destroy(ref)
    assert not is_running(ref.metadata["pid"])
    with pytest.raises(errors.ProviderError):
        await provider.endpoint(ref)


async def test_a_client_can_be_awaited_and_destroyed_twice() -> None:
    client = await SandboxAgent.start()
    await client.destroy_sandbox()
    await client.destroy_sandbox()
    with pytest.raises(RuntimeError):
        await client.health()


async def test_files_are_removed_unless_they_have_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_AGENT_DATA_DIR", str(tmp_path / "user"))
    sandboxes = tmp_path / "user" / "sandboxes"
    async with SandboxAgent.start() as client:
        await client.create_session("mock")
        (directory,) = sandboxes.iterdir()
        assert directory.stat().st_mode & 0o077 == 0
    assert list(sandboxes.iterdir()) == []

    kept = tmp_path / "data"
    async with SandboxAgent.start(LocalProvider(data_dir=kept)) as client:
        session = await client.create_session("mock", id="kept")
        await session.prompt("remember")
    assert list(sandboxes.iterdir()) == []
    async with SandboxAgent.start(LocalProvider(data_dir=kept)) as client:
        transcript = await (await client.get_session("kept")).transcript()
    assert "remember" in json.dumps(transcript.to_wire())


async def test_the_server_gets_its_directory_and_variables(tmp_path: Path) -> None:
    provider = LocalProvider(cwd=tmp_path, env={"FROM_PROVIDER": "1"})
    async with SandboxAgent.start(provider, env={"FROM_CALLER": "2"}) as client:
        assert client.sandbox_ref is not None
        pid = client.sandbox_ref.metadata["pid"]
        environment = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        assert {"FROM_PROVIDER=1", "FROM_CALLER=2"} <= set(environment)
        assert Path(f"/proc/{pid}/cwd").resolve() == tmp_path


ENV_AGENT = """
import json, os, sys
for line in sys.stdin:
    frame = json.loads(line)
    result = {"initialize": {"protocolVersion": 1}, "session/new": {"sessionId": "s"}}
    json.dump(dict(os.environ), open("env.json", "w"))
    print(json.dumps({"jsonrpc": "2.0", "id": frame["id"], "result": result[frame["method"]]}), flush=True)
"""


@pytest.mark.parametrize(
    ("inherit_env", "expected"),
    [
        (True, {"SSH_AUTH_SOCK", "CORP_LLM_KEY", "GITHUB_TOKEN", "CODEX_HOME"}),
        (False, set()),
        (["GITHUB_TOKEN", "CORP_*"], {"CORP_LLM_KEY", "GITHUB_TOKEN"}),
    ],
)
async def test_an_agent_works_with_the_users_environment_or_part_of_it(
    inherit_env: bool | list[str],
    expected: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("SSH_AUTH_SOCK", "CORP_LLM_KEY", "GITHUB_TOKEN", "CODEX_HOME", "CLAUDECODE")
    for name in names:
        monkeypatch.setenv(name, "mine")
    script, config = tmp_path / "agent.py", tmp_path / "server.toml"
    script.write_text(ENV_AGENT, encoding="utf-8")
    config.write_text(f"[agents.told]\ncommand = {json.dumps([sys.executable, str(script)])}\n")
    provider = LocalProvider(config=config, inherit_env=inherit_env)
    async with SandboxAgent.start(provider) as client:
        await client.create_session("told", cwd=str(tmp_path))
    environment = json.loads((tmp_path / "env.json").read_text(encoding="utf-8"))
    assert {name for name in names if name in environment} == expected
    assert not [name for name in environment if name.startswith("SANDBOX_AGENT_")]


def test_what_is_to_be_inherited_is_a_list_of_names() -> None:
    with pytest.raises(errors.InvalidRequest, match="inherit_env"):
        find_provider("local", {"inherit_env": "GH_TOKEN"})


async def test_a_server_setting_of_the_callers_own_does_not_get_in_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SANDBOX_AGENT_NO_TOKEN", "1")
    monkeypatch.setenv("SANDBOX_AGENT_TOKEN", "the token of some other server")
    monkeypatch.setenv("SANDBOX_AGENT_PORT", "1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with SandboxAgent.start() as client:
        assert client.token != "the token of some other server"
        answer = httpx.get(f"{client.base_url}/v1/agents", trust_env=False)
        assert answer.status_code == 401
        with pytest.raises(errors.TokenInvalid):
            await SandboxAgent.connect(client.base_url)


async def test_a_server_that_dies_at_start_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_AGENT_DATA_DIR", str(tmp_path / "data"))
    with pytest.raises(errors.ServerStartFailed) as caught:
        await SandboxAgent.start(LocalProvider(config=tmp_path / "missing.toml"))
    assert "missing.toml" in caught.value.details["log"]
    assert caught.value.details["exitCode"] != 0
    assert list((tmp_path / "data" / "sandboxes").iterdir()) == []


@pytest.fixture
def stubborn_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server that says nothing, ignores SIGTERM and writes its pid."""
    program = tmp_path / "server.py"
    pid_file = tmp_path / "pid"
    program.write_text(
        textwrap.dedent(f"""
            import os, pathlib, signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))
            print("still loading", flush=True)
            time.sleep(600)
        """)
    )
    monkeypatch.setattr(provider, "server_command", lambda: [sys.executable, str(program)])
    monkeypatch.setattr(server, "STOP_GRACE_S", 0.1)
    return pid_file


async def test_a_server_that_never_listens_is_killed_in_time(stubborn_server: Path) -> None:
    with pytest.raises(errors.ServerStartFailed, match="still loading"):
        await SandboxAgent.start(LocalProvider(start_timeout=0.5))
    assert not is_running(int(stubborn_server.read_text()))


async def test_a_start_that_is_cancelled_leaves_nothing(stubborn_server: Path) -> None:
    task = asyncio.ensure_future(SandboxAgent.start(LocalProvider()))
    async with asyncio.timeout(30):
        while not (stubborn_server.exists() and stubborn_server.read_text()):
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not is_running(int(stubborn_server.read_text()))


async def test_a_missing_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(server, "find_spec", lambda _name: None)
    with pytest.raises(errors.ProviderNotInstalled, match="pip install sandbox-agent-server"):
        await LocalProvider().create(SandboxSpec())


def test_the_server_is_found_in_three_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Path(sys.executable).parent / "sandbox-agent-server"
    assert server.server_command() == [str(beside)]
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert server.server_command() == [str(tmp_path / "python"), "-m", "sandbox_agent_server"]
    on_path = tmp_path / "bin" / "sandbox-agent-server"
    on_path.parent.mkdir()
    on_path.touch(mode=0o755)
    assert server.server_command() == [str(on_path)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_server_survives_its_client(number: signal.Signals, tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import asyncio
        from sandbox_agent_client import SandboxAgent

        async def main():
            client = await SandboxAgent.start()
            print(client.sandbox_ref.metadata["pid"], flush=True)
            await asyncio.sleep(600)

        asyncio.run(main())
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "SANDBOX_AGENT_DATA_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        pid = int(process.stdout.readline())
        assert is_running(pid)
        process.send_signal(number)
        process.wait(10)
    until(lambda: not is_running(pid))


def test_a_program_that_forgets_to_close_leaves_no_files(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        from sandbox_agent_client import SandboxAgentSync
        client = SandboxAgentSync.start()
        print(client.sandbox_ref.metadata["pid"], flush=True)
    """)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "SANDBOX_AGENT_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert not is_running(int(done.stdout))
    assert list((tmp_path / "sandboxes").iterdir()) == []


AGENT = """
import json, os, pathlib, subprocess, sys
for line in sys.stdin:
    frame = json.loads(line)
    results = {"initialize": {"protocolVersion": 1}, "session/new": {"sessionId": "s"}}
    if frame.get("method") == "session/new":
        subprocess.run("nohup setsid sh -c 'echo $$ >pid.part; mv pid.part pid; exec sleep 600' >/dev/null 2>&1 &",
                       shell=True, stdin=subprocess.DEVNULL)
    if "id" in frame:
        answer = {"jsonrpc": "2.0", "id": frame["id"], "result": results[frame["method"]]}
        print(json.dumps(answer), flush=True)
"""


@pytest.mark.parametrize("end", ["closed", "server is killed", "server hangs"])
async def test_what_an_agent_left_goes_with_the_sandbox(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "STOP_GRACE_S", 0.5 if end == "server hangs" else 30)
    command = json.dumps([sys.executable, "-IS", "-c", AGENT])
    config = tmp_path / "config.toml"
    config.write_text(f"[agents.leaving]\ncommand = {command}\n", encoding="utf-8")
    async with SandboxAgent.start(LocalProvider(config=config)) as client:
        await client.create_session("leaving", cwd=str(tmp_path))
        until((tmp_path / "pid").exists)
        assert client.sandbox_ref is not None
        match end:
            case "server is killed":
                os.kill(client.sandbox_ref.metadata["pid"], signal.SIGKILL)
            case "server hangs":
                os.kill(client.sandbox_ref.metadata["pid"], signal.SIGSTOP)
    assert not is_running(int((tmp_path / "pid").read_text()))


def as_bwrap(directory: Path, *, says: str) -> None:
    program = directory / "bwrap"
    program.write_text(f"#!/bin/sh\necho {says!r} >&2\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)


@pytest.mark.parametrize("is_there", [False, True])
async def test_where_agents_cannot_be_confined_nothing_is_started(
    is_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_AGENT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PATH", str(tmp_path))
    if is_there:
        as_bwrap(tmp_path, says="setting up uid map: Permission denied")
    with pytest.raises(errors.ConfinementUnavailable) as caught:
        await SandboxAgent.start("local", confine=True)
    hint = "setting up uid map" if is_there else "apt-get install bubblewrap"
    assert hint in caught.value.message
    assert ("AppArmor" in caught.value.message) == is_there
    assert not (tmp_path / "data").exists()
    preflight = await LocalProvider(confine=True).preflight()
    assert [(check.name, check.ok) for check in preflight.checks] == [
        ("server", True),
        ("confinement", False),
    ]


@pytest.mark.parametrize(
    "confine", ["yes", {"hom": "hidden"}, {"home": "open"}, {"writable": "/tmp"}, {"network": 0}]
)
async def test_a_malformed_confinement_is_refused(confine: object) -> None:
    with pytest.raises(errors.InvalidRequest):
        await SandboxAgent.start("local", confine=confine)


@pytest.mark.parametrize("confine", [True, Confinement(home="read-only"), {"network": False}])
async def test_agents_of_a_confined_sandbox_find_neither_its_token_nor_a_way_out(
    confine: bool | Confinement, bubblewrap: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, workspace = tmp_path / "home", tmp_path / "home" / "project"
    workspace.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SANDBOX_AGENT_DATA_DIR", str(home / ".share"))
    look = (
        "import json, os, pathlib, sys\n"
        f"root = pathlib.Path({str(home / '.share')!r})\n"
        "seen = [str(path) for path in root.rglob('*')]\n"
        "pathlib.Path('seen').write_text(json.dumps(seen))\n"
        "(pathlib.Path.home() / 'planted').write_text('x')\n"
    )
    config = tmp_path / "config.toml"
    command = json.dumps([sys.executable, "-IS", "-c", look])
    config.write_text(f"[agents.looking]\ncommand = {command}\n", encoding="utf-8")
    # Only one that is kept for others has its token in a file.
    async with SandboxAgent.start("local", config=config, confine=confine, keep=True) as client:
        try:
            with pytest.raises(errors.AgentError):
                await client.create_session("looking", cwd=str(workspace))
            assert list((home / ".share").rglob("token")) != []
        finally:
            await client.destroy_sandbox()
    seen = set(json.loads((workspace / "seen").read_text(encoding="utf-8")))
    assert seen <= {str(home / ".share/sandboxes")}
    assert not (home / "planted").exists()
