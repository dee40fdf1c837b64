"""The root: fixtures for the tests of all packages."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long a machine takes says nothing about what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

pytest_plugins = ["support.fixtures"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def data_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Local sandboxes keep their files here, and not beside the user's own."""
    before = os.environ.get("SANDBOX_AGENT_DATA_DIR")
    os.environ["SANDBOX_AGENT_DATA_DIR"] = str(tmp_path_factory.mktemp("data"))
    yield
    if before is None:
        del os.environ["SANDBOX_AGENT_DATA_DIR"]
    else:
        os.environ["SANDBOX_AGENT_DATA_DIR"] = before


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Hardly anything that is made here is garbage: looking for it takes an eighth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """What is there by now stays to the end. Looked through again and again, it made workers so slow to end that
    they were killed: ten times at their end alone."""
    gc.collect()
    gc.freeze()


def _make_temporary_folder(config: pytest.Config) -> None:
    """One for the run and for all that it starts, removed at its end: agents and browsers leave megabytes behind."""
    if hasattr(config, "workerinput"):
        return  # a worker has that of the process which started it
    # What a test leaves is kept where it was, if the test fails.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    # Short, for the paths of sockets.
    folder = tempfile.mkdtemp(prefix="t-")
    os.environ["TMPDIR"] = os.environ["CLAUDE_CODE_TMPDIR"] = folder
    tempfile.tempdir = None
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_configure(config: pytest.Config) -> None:
    """No server of a test installs an agent, or finds those of this machine's user, unless the test says so."""
    _make_temporary_folder(config)
    # Images of containers forbid it. Then every start of a server or a command, and there are thousands, would compile
    # its sources again, and every worker all tests and what they import.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    nothing = Path(tempfile.gettempdir(), "sandbox-agent-tests", "no-agents")
    os.environ["SANDBOX_AGENT_AGENTS_DIR"] = str(nothing)
    os.environ["SANDBOX_AGENT_REQUIRE_PREINSTALLED"] = "true"
    # Here, because the process that xdist's workers report to reads no other conftest; and not above,
    # because it imports the fixtures, which pytest wants to import itself.
    from agent_conformance.matrix import Matrix  # noqa: PLC0415
    from faults.table import FaultTable  # noqa: PLC0415

    config.pluginmanager.register(Matrix(), "agent-matrix")
    config.pluginmanager.register(FaultTable(), "fault-table")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of a group share what is costly or cannot be had twice: that they run apart must not go unnoticed."""
    if not config.getoption("loadgroup", default=False):
        return
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group is not None and not item.nodeid.endswith(f"@{group.args[0]}"):
            raise pytest.UsageError(f"xdist does not see that {item.nodeid} is of a group")
