"""One server and one model for all agents of a worker; a session of an agent is shared where that does no harm."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_conformance.under_test import AGENTS, AgentUnderTest
from sandbox_agent_client import SandboxAgentSync, SessionSync
from support.drift.collecting import count_messages, is_collecting, keep_messages
from support.fixtures import require_agent
from support.scripted_llm import ScriptedLLM
from support.server import ServerProcess

PRICES = "\n".join(
    f'[prices."{model}"]\ninput = 1\noutput = 5' for model in ("scripted", "scripted-1")
)
"""Of the models that some agents are told to use."""


class Lab:
    """Where the agents of this worker live."""

    def __init__(self, directory: Path, llm: ScriptedLLM, server: ServerProcess) -> None:
        self.llm = llm
        self.server = server
        self._directory = directory
        self._count = 0
        self._shared: dict[tuple[str, str], SessionSync] = {}
        self._made: list[tuple[str, SessionSync]] = []
        self._open: list[SessionSync] = []
        self.client = SandboxAgentSync.connect(base_url=server.url, token=server.token)

    def new_session(
        self, agent: AgentUnderTest, *, is_repository: bool = False, **options: Any
    ) -> SessionSync:
        """In a home and a workspace of its own, which may be a git repository."""
        require_agent(agent.name)
        self._count += 1
        home = self._directory / f"{agent.name}-{self._count}"
        workspace = home / "workspace"
        workspace.mkdir(parents=True)
        if is_repository:
            subprocess.run(["git", "init", "-q"], cwd=workspace, check=True, timeout=30)
        env = agent.session_env(home, self.llm)
        options.setdefault("cwd", str(workspace))
        session = self.client.create_session(agent.name, env=env, **options)
        self._made.append((agent.name, session))
        self._open.append(session)
        return session

    def shared_session(self, agent: AgentUnderTest, **options: Any) -> SessionSync:
        """One that other tests have used, made with the same options: idle, with files that they left.

        Starting an agent is most of what its tests cost, up to four seconds of a processor each time.
        """
        key = agent.name, repr(sorted(options.items()))
        session = self._shared.get(key)
        if session is None or session.refresh().status != "idle":
            session = self._shared[key] = self.new_session(agent, **options)
        return session

    def end_sessions(self) -> None:
        """An agent that waits for a prompt takes up to a tenth of a processor."""
        while self._open:
            self._open.pop().end()
        self._shared.clear()

    def untyped_messages(self) -> dict[str, Counter[str]]:
        """What agents said that has no type of ours, in all sessions."""
        told: dict[str, Counter[str]] = {}
        for agent, session in self._made:
            told.setdefault(agent, Counter()).update(count_messages(session.events()))
        return told


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    directory = tmp_path_factory.mktemp("conformance")
    server = ServerProcess(directory, config=PRICES).start()
    with ScriptedLLM() as llm:
        made = Lab(directory, llm, server)
        yield made
        if is_collecting():
            keep_messages(made.untyped_messages())
        made.client.close()
        server.stop()


@pytest.fixture
def session(lab: Lab, agent: AgentUnderTest) -> SessionSync:
    return lab.shared_session(agent)


@pytest.fixture
def session_for_modes(session: SessionSync) -> Iterator[SessionSync]:
    """As `session`; whatever mode a test puts it in, it asks again afterwards."""
    yield session
    session.set_mode("ask")


@pytest.fixture
def fresh_session(lab: Lab, agent: AgentUnderTest) -> Iterator[SessionSync]:
    made = lab.new_session(agent)
    yield made
    made.end()


@pytest.fixture
def workspace(request: pytest.FixtureRequest) -> Path:
    """Of the session that the test uses."""
    name = "fresh_session" if "fresh_session" in request.fixturenames else "session"
    used: SessionSync = request.getfixturevalue(name)
    return Path(used.info.cwd)


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """When the tests of an agent are over, so are its sessions."""
    if isinstance(item, pytest.Function) and _agent_of(item) != _agent_of(nextitem):
        lab: Lab | None = item.funcargs.get("lab")
        if lab is not None:
            lab.end_sessions()


def _agent_of(item: pytest.Item | None) -> object:
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get("agent")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every scenario over every agent that has the feature; those of an agent in one worker, where they share."""
    if (mark := metafunc.definition.get_closest_marker("feature")) is None:
        return
    params = [
        pytest.param(
            agent, id=name, marks=[pytest.mark.real_agent, pytest.mark.xdist_group(f"of {name}")]
        )
        for name, agent in AGENTS.items()
        if mark.args[0] not in agent.lacks
    ]
    metafunc.parametrize("agent", params)
