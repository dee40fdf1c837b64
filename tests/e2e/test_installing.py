"""Agents that install themselves: over HTTP, by the SDK, by the command line, and when a session wants them."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from sandbox_agent_client import InstallProgress, InstallResult, SandboxAgent, SandboxAgentSync
from sandbox_agent_client.errors import (
    AgentNotInstallable,
    InstallForbidden,
    IntegrityMismatch,
)
from sandbox_agent_core.wire.sse import SseDecoder, SseEvent
from sandbox_agent_server.install.pins import find_pin
from sandbox_agent_server.runtime.platforms import this_platform
from support.fixtures import claude_env
from support.npm_registry import NpmRegistry
from support.scripted_llm import ScriptedLLM
from support.server import DEADLINE_S, ServerProcess, until

ServerFactory = Callable[..., ServerProcess]

# An agent that only speaks ACP; the package of the test holds the mock agent in its place.
AGENT = "copilot"
VERSION = find_pin(AGENT).version
LARGE = {"padding": random.Random(0).randbytes(4_000_000)}
"""So that the half of an archive that comes before a stall is worth a progress."""
MOCK = f'#!/bin/sh\nexec "{sys.executable}" -m sandbox_agent_server.agents.mock\n'.encode()


@pytest.fixture
def registry() -> Iterator[NpmRegistry]:
    with NpmRegistry() as running:
        publish(running)
        yield running


def publish(
    registry: NpmRegistry,
    version: str = VERSION,
    *,
    files: Mapping[str, bytes] = MappingProxyType({}),
    **options: Any,
) -> None:
    pin = find_pin(AGENT)
    package = pin.package_for(this_platform(), version)
    content = {**files, f"{package.path}*": MOCK}
    registry.publish(package.name, package.version, content, **options)
    registry.publish(pin.package, version, {})


@pytest.fixture
def environment(registry: NpmRegistry, tmp_path: Path) -> dict[str, str]:
    """Of a server that may install, from that registry only, and finds nothing on the PATH."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "NPM_CONFIG_REGISTRY": registry.url,
        "SANDBOX_AGENT_AGENTS_DIR": str(tmp_path / "agents"),
        "SANDBOX_AGENT_REQUIRE_PREINSTALLED": "false",
    }


@pytest.fixture
def start(make_server: ServerFactory, environment: dict[str, str]) -> ServerFactory:
    def start(**changes: Any) -> ServerProcess:
        more = changes.pop("env", {})
        return make_server(env=environment | more, **changes).start()

    return start


def install(server: ServerProcess, agent: str = AGENT, **body: Any) -> httpx.Response:
    with server.client() as client:
        return client.post(f"/v1/agents/{agent}/install", json=body)


def install_events(server: ServerProcess, agent: str = AGENT, **body: Any) -> list[SseEvent]:
    decoder = SseDecoder()
    headers = {"accept": "text/event-stream"}
    with (
        server.client() as client,
        client.stream("POST", f"/v1/agents/{agent}/install", json=body, headers=headers) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [event for chunk in answer.iter_bytes() for event in decoder.feed(chunk)]


def agent_info(server: ServerProcess, agent: str = AGENT) -> dict[str, Any]:
    with server.client() as client:
        info: dict[str, Any] = client.get(f"/v1/agents/{agent}").json()
    return info


def test_a_session_installs_its_agent_and_works(
    start: ServerFactory, registry: NpmRegistry
) -> None:
    server = start()
    assert not agent_info(server)["installed"]
    session = server.create(AGENT)
    assert server.prompt(session, "hello")["stopReason"] == "end_turn"
    info = agent_info(server)
    assert (info["installed"], info["version"]) == (True, VERSION)
    server.create(AGENT)
    assert registry.count(".tgz") == 1
    assert "downloading" in server.log()


def test_sessions_at_the_same_time_share_one_installation(
    start: ServerFactory, registry: NpmRegistry
) -> None:
    server = start()
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda _number: server.create(AGENT), range(4)))
    assert len(set(ids)) == 4
    assert registry.count(".tgz") == 1


def test_a_session_whose_agent_cannot_be_installed_is_refused_and_leaves_nothing(
    start: ServerFactory, registry: NpmRegistry
) -> None:
    publish(registry, integrity="sha512-" + "A" * 86 + "==")
    server = start()
    with server.client() as client:
        answer = client.post("/v1/sessions", json={"agent": AGENT})
        assert client.get("/v1/sessions").json()["sessions"] == []
    assert answer.status_code == 500
    assert answer.json()["type"].endswith(":integrity_mismatch")


def test_a_server_told_not_to_install_by_itself_says_what_is_missing(
    start: ServerFactory, registry: NpmRegistry
) -> None:
    server = start(arguments=["--no-auto-install"])
    with server.client() as client:
        answer = client.post("/v1/sessions", json={"agent": AGENT})
    assert answer.json()["type"].endswith(":agent_not_installed")
    assert registry.requests == []
    assert install(server).status_code == 200


def test_a_server_that_wants_all_preinstalled_uses_no_network(
    start: ServerFactory, registry: NpmRegistry
) -> None:
    server = start(arguments=["--require-preinstalled"])
    with server.client() as client:
        session = client.post("/v1/sessions", json={"agent": AGENT})
    assert session.json()["type"].endswith(":agent_not_installed")
    refused = install(server)
    assert refused.status_code == 403
    assert refused.json()["type"].endswith(":install_forbidden")
    assert registry.requests == []


def test_a_local_source_is_enough_without_network(
    start: ServerFactory, registry: NpmRegistry, environment: dict[str, str], tmp_path: Path
) -> None:
    baked = tmp_path / "baked"
    program = Path(sys.executable).with_name("sandbox-agent-server")
    subprocess.run(
        [program, "install-agent", AGENT, "--agents-dir", baked],
        env=os.environ | environment,
        check=True,
        capture_output=True,
        timeout=DEADLINE_S,
    )
    before = len(registry.requests)
    server = start(arguments=["--require-preinstalled", "--agents-source", baked])
    assert server.prompt(server.create(AGENT), "hello")["stopReason"] == "end_turn"
    assert len(registry.requests) == before


def test_what_was_installed_beforehand_is_found_with_the_same_default(
    make_server: ServerFactory, environment: dict[str, str], tmp_path: Path
) -> None:
    del environment["SANDBOX_AGENT_AGENTS_DIR"]
    environment |= {"XDG_DATA_HOME": str(tmp_path / "share"), "SANDBOX_AGENT_AGENTS_DIR": ""}
    program = Path(sys.executable).with_name("sandbox-agent-server")
    subprocess.run(
        [program, "install-agent", AGENT],
        env=os.environ | environment,
        check=True,
        capture_output=True,
        timeout=DEADLINE_S,
    )
    server = make_server(env=environment, arguments=["--require-preinstalled"]).start()
    assert server.prompt(server.create(AGENT), "hello")["stopReason"] == "end_turn"


def test_the_answer_has_the_shape_that_other_clients_know(start: ServerFactory) -> None:
    server = start()
    first = install(server)
    assert first.status_code == 200
    document = first.json()
    assert document["already_installed"] is False
    (artifact,) = document["artifacts"]
    assert (artifact["kind"], artifact["source"]) == ("native_agent", "registry")
    assert artifact["version"] == VERSION
    assert Path(artifact["path"]).is_file()
    again = install(server).json()
    assert (again["already_installed"], again["artifacts"]) == (True, [])
    assert install(server, "mock").json()["already_installed"] is True


def test_another_version_is_installed_beside_the_first(
    start: ServerFactory, registry: NpmRegistry
) -> None:
    publish(registry, "99.0.0")
    server = start()
    install(server)
    assert install(server, agentVersion="99.0.0").json()["version"] == "99.0.0"
    assert agent_info(server)["version"] == "99.0.0"
    assert install(server).json()["already_installed"] is True
    assert agent_info(server)["version"] == VERSION
    assert install(server, reinstall=True).json()["already_installed"] is False


@pytest.mark.parametrize(
    ("agent", "body", "status", "code"),
    [
        ("nosuch", {}, 400, "unsupported_agent"),
        ("cursor", {}, 400, "agent_not_installable"),
        (AGENT, {"version": "77.0.0"}, 400, "agent_not_installable"),
        (AGENT, {"version": "../../etc"}, 400, "invalid_request"),
        (AGENT, {"version": 7}, 400, "invalid_request"),
        (AGENT, {"reinstall": "x"}, 400, "invalid_request"),
        (AGENT, {"wrong": 1}, 400, "invalid_request"),
    ],
)
def test_what_cannot_be_installed_is_refused(
    start: ServerFactory, agent: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = install(start(), agent, **body)
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, code)


def test_the_progress_is_a_stream_that_ends_with_the_result(start: ServerFactory) -> None:
    events = install_events(start())
    assert {event.event for event in events[:-1]} == {"progress"}
    assert json.loads(events[0].data)["agent"] == AGENT
    assert events[-1].event == "completed"
    assert json.loads(events[-1].data)["already_installed"] is False


def test_a_failure_is_the_last_event_of_the_stream(
    start: ServerFactory, registry: NpmRegistry
) -> None:
    publish(registry, integrity="sha512-" + "A" * 86 + "==")
    last = install_events(start())[-1]
    assert last.event == "error"
    assert json.loads(last.data)["type"].endswith(":integrity_mismatch")


def test_who_leaves_does_not_stop_the_installation(
    start: ServerFactory, registry: NpmRegistry
) -> None:
    registry.stalls = True
    server = start()
    headers = {"accept": "text/event-stream"}
    with (
        server.client() as client,
        client.stream("POST", f"/v1/agents/{AGENT}/install", json={}, headers=headers) as answer,
    ):
        next(answer.iter_bytes())
        assert registry.is_stalled.wait(DEADLINE_S)
    registry.go_on()
    until(lambda: agent_info(server)["installed"])
    assert registry.count(".tgz") == 1


def test_a_server_stops_in_the_middle_of_an_installation_and_the_next_one_installs(
    start: ServerFactory, registry: NpmRegistry
) -> None:
    registry.stalls = True
    server = start()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(install, server)
        assert registry.is_stalled.wait(DEADLINE_S)
        assert server.stop() == 0
        assert answer.result(DEADLINE_S).json()["type"].endswith(":unavailable")
    registry.go_on()
    registry.stalls = False
    server.start()
    assert not agent_info(server)["installed"]
    assert install(server).json()["already_installed"] is False


def test_a_program_on_the_path_comes_before_an_installed_one(
    start: ServerFactory, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / AGENT).write_bytes(MOCK)
    (own / AGENT).chmod(0o755)
    server = start(env={"PATH": f"{own}:/usr/bin:/bin"})
    document = install(server).json()
    assert agent_info(server)["path"] == str(own / AGENT)
    assert str(own / AGENT) in document["note"]


def test_a_session_with_a_path_of_its_own_still_finds_what_was_installed(
    start: ServerFactory,
) -> None:
    server = start()
    install(server)
    session = server.create(AGENT, env={"PATH": "/usr/bin:/bin:/elsewhere"})
    assert server.prompt(session, "hello")["stopReason"] == "end_turn"


async def test_the_sdk_tells_the_progress_and_answers_with_the_result(
    start: ServerFactory,
) -> None:
    server = start()
    told: list[InstallProgress] = []

    async def on_progress(progress: InstallProgress) -> None:
        told.append(progress)

    async with SandboxAgent.connect(server.url, token=server.token) as client:
        result = await client.install_agent(AGENT, on_progress=on_progress)
        again = await client.install_agent(AGENT)
    assert isinstance(result, InstallResult)
    assert (result.already_installed, result.version) == (False, VERSION)
    assert told
    assert told[0].agent == AGENT
    assert again.already_installed


def test_the_sync_sdk_does_the_same_and_raises_typed_errors(
    start: ServerFactory, registry: NpmRegistry
) -> None:
    server = start()
    told: list[InstallProgress] = []
    with SandboxAgentSync.connect(server.url, token=server.token) as client:
        with pytest.raises(AgentNotInstallable):
            client.install_agent(AGENT, "77.0.0")
        assert not client.install_agent(AGENT, on_progress=told.append).already_installed
        publish(registry, "99.0.0", integrity="sha512-" + "A" * 86 + "==")
        with pytest.raises(IntegrityMismatch):
            client.install_agent(AGENT, "99.0.0")
    assert told


def test_the_sdk_knows_a_forbidden_installation(start: ServerFactory) -> None:
    server = start(arguments=["--require-preinstalled"])
    with (
        SandboxAgentSync.connect(server.url, token=server.token) as client,
        pytest.raises(InstallForbidden),
    ):
        client.install_agent(AGENT)


async def test_a_session_tells_what_is_installed_for_it(
    start: ServerFactory, registry: NpmRegistry
) -> None:
    publish(registry, files=LARGE)
    registry.stalls = True
    server = start()
    told: list[InstallProgress] = []

    async def on_install(progress: InstallProgress) -> None:
        told.append(progress)
        if progress.step == "downloading":
            registry.go_on()  # the session does not begin before it was told

    async with SandboxAgent.connect(server.url, token=server.token) as client:
        session = await client.create_session(AGENT, on_install=on_install)
        assert (await session.prompt("hello")).stop_reason == "end_turn"
        await client.end_session(session.id)
    [download] = [progress for progress in told if progress.step == "downloading"][:1]
    assert (download.agent, download.version) == (AGENT, VERSION)
    assert download.total_bytes


@pytest.mark.parametrize("is_resumed", [False, True])
def test_report_and_the_log_tell_what_is_installed_for_a_session(
    start: ServerFactory,
    registry: NpmRegistry,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    is_resumed: bool,
) -> None:
    publish(registry, files=LARGE)
    caplog.set_level("INFO", "sandbox_agent_client")
    server = start()
    reported: list[str] = []

    def report(line: str) -> None:
        reported.append(line)
        if "downloading" in line:
            registry.go_on()

    with SandboxAgentSync.connect(server.url, token=server.token, report=report) as client:
        if is_resumed:
            session = client.create_session(AGENT)
            client.end_session(session.id)
            shutil.rmtree(tmp_path / "agents")
        registry.stalls = True
        if is_resumed:
            client.resume_session(session.id)
        else:
            client.create_session(AGENT)
    line = f"installing {AGENT} {VERSION}: downloading"
    assert any(line in one for one in reported)
    assert any(line in one for one in caplog.messages)


def test_a_run_shows_what_is_installed_for_it(start: ServerFactory, registry: NpmRegistry) -> None:
    publish(registry, files=LARGE)
    registry.stalls = True
    server = start()
    program = Path(sys.executable).with_name("sandbox-agent")
    env = {**os.environ, "SANDBOX_AGENT_URL": server.url, "SANDBOX_AGENT_TOKEN": server.token or ""}
    with subprocess.Popen(
        [program, "run", "--agent", AGENT, "--cwd", "/", "hello"],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as run:  # fmt: skip
        assert run.stderr is not None
        said = next((line for line in run.stderr if "downloading" in line), "")
        registry.go_on()
        run.stderr.read()
    assert (said.strip(), run.returncode) == (f"installing {AGENT} {VERSION}: downloading", 0)


def test_who_may_only_read_sees_an_installation_and_begins_none(
    start: ServerFactory, registry: NpmRegistry
) -> None:
    registry.stalls = True
    server = start()
    path = f"/v1/agents/{AGENT}/install"
    with server.client() as owner, ThreadPoolExecutor(1) as pool:
        token = owner.post("/v1/tokens", json={"actor": "ann", "scopes": ["read"]}).json()["token"]
        reader = {"authorization": f"Bearer {token}"}
        assert owner.post(path, json={}, headers=reader).status_code == 403
        assert owner.get(path, headers=reader).json() == {"running": False}
        creating = pool.submit(server.create, AGENT)
        assert registry.is_stalled.wait(DEADLINE_S)
        seen = owner.get(path, headers=reader).json()
        registry.go_on()
        creating.result()
        assert (seen["running"], seen["progress"]["agent"]) == (True, AGENT)
        assert owner.get(path).json() == {"running": False}
        assert owner.get("/v1/agents/nobody/install").status_code == 400


def test_the_command_line_installs_where_the_server_is(start: ServerFactory) -> None:
    server = start()
    program = Path(sys.executable).with_name("sandbox-agent")
    env = {**os.environ, "SANDBOX_AGENT_URL": server.url, "SANDBOX_AGENT_TOKEN": server.token or ""}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "agents", *arguments], env=env, capture_output=True, text=True, timeout=90
        )

    done = run("install", AGENT)
    assert done.returncode == 0
    assert f"{AGENT} {VERSION} installed" in done.stdout
    assert "downloading" in done.stderr
    assert json.loads(run("install", AGENT, "--json").stdout)["already_installed"] is True
    assert any(AGENT in line and VERSION in line for line in run().stdout.splitlines())


@pytest.mark.real_agent
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_real_claude_code_is_installed_without_node_and_works(
    start: ServerFactory,
    registry: NpmRegistry,
    claude_binary: Path,
    scripted_llm: ScriptedLLM,
    tmp_path: Path,
) -> None:
    """From an archive made of the very package that npm brought: hundreds of MB, no Node.js on the PATH."""
    pin = find_pin("claude")
    package = pin.package_for(this_platform(), pin.version)
    registry.publish(package.name, package.version, archive=_packed(claude_binary.parent))
    server = start(env={"PATH": str(_without_node(tmp_path))})
    home, workspace = tmp_path / "claude-home", tmp_path / "workspace"
    home.mkdir()
    workspace.mkdir()
    env = claude_env(home, scripted_llm)
    # `claude` of this machine must not be found in place of the one that is installed.
    env["PATH"] = str(tmp_path / "programs")
    with server.client(timeout=200) as client:
        answer = client.post(
            "/v1/sessions", json={"agent": "claude", "cwd": str(workspace), "env": env}
        )
    assert answer.status_code == 201, answer.text
    assert server.prompt(answer.json()["id"], "hello")["stopReason"] == "end_turn"
    info = agent_info(server, "claude")
    assert info["version"] == pin.version
    assert Path(info["path"]).resolve().is_relative_to(tmp_path / "agents")


def _packed(folder: Path) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.open(packed, "wb", compresslevel=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,  # type: ignore[arg-type]
    ):
        tar.add(folder, arcname="package")
    return packed.getvalue()


def _without_node(tmp_path: Path) -> Path:
    """A directory with what a shell needs, in which no `node` is."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "bash", "env", "uname", "cat", "ls", "git", "ps"):
        for folder in ("/bin", "/usr/bin"):
            if Path(folder, name).exists() and not (programs / name).exists():
                (programs / name).symlink_to(Path(folder, name))
    return programs
