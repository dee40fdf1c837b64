"""A pytest plug-in (`-p support.drift.collecting`): what became of the tests of agents, and what agents said that has no type.

`AGENT_DRIFT` names the directory that gets it, `AGENT_DRIFT_AGENTS` the agents whose tests run.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import AgentUnparsed, AgentUpdate, Event

__all__ = [
    "DIRECTORY",
    "ONLY",
    "Collected",
    "count_messages",
    "is_collecting",
    "keep_messages",
    "read_collected",
]

DIRECTORY = "AGENT_DRIFT"
ONLY = "AGENT_DRIFT_AGENTS"
_OUTCOMES = "outcomes.json"
_OF_AGENT = re.compile(r"/tests/agents/([a-z-]+)/")

Messages = dict[str, Counter[str]]
"""Agent -> how often it said what."""


class Collected:
    """Of one run."""

    def __init__(self, outcomes: dict[str, dict[str, bool]], messages: Messages) -> None:
        self.outcomes = outcomes
        """Agent -> row -> whether all tests of it passed."""
        self.messages = messages


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    only = set(filter(None, os.environ.get(ONLY, "").split(",")))
    kept = [item for item in items if _is_meant(item, only)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_configure(config: pytest.Config) -> None:
    # The workers' results come to the process that started them.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Outcomes(Path(os.environ[DIRECTORY])))


class _Outcomes:
    def __init__(self, directory: Path) -> None:
        self._path = directory / _OUTCOMES
        self._rows: dict[str, dict[str, bool]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            return
        agent, row = _row(report.nodeid, dict(report.user_properties))
        rows = self._rows.setdefault(agent, {})
        rows[row] = rows.get(row, True) and report.passed

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(json.dumps(self._rows), encoding="utf-8")


def count_messages(events: Iterable[Event]) -> Counter[str]:
    """What came through without a type of ours, and what could not be read."""
    counted: Counter[str] = Counter()
    for event in events:
        if isinstance(event, AgentUpdate):
            counted[event.update_type] += 1
        elif isinstance(event, AgentUnparsed):
            counted[f"unparsed: {event.reason}"] += 1
    return counted


def is_collecting() -> bool:
    return DIRECTORY in os.environ


def keep_messages(messages: Messages) -> None:
    """For the comparison: each process of the tests has a file of its own."""
    path = Path(os.environ[DIRECTORY], f"messages-{os.getpid()}.json")
    path.write_text(json.dumps(messages), encoding="utf-8")


def read_collected(directory: Path) -> Collected:
    outcomes = json.loads((directory / _OUTCOMES).read_text(encoding="utf-8"))
    messages: Messages = {}
    for path in directory.glob("messages-*.json"):
        for agent, counted in json.loads(path.read_text(encoding="utf-8")).items():
            messages.setdefault(agent, Counter()).update(counted)
    return Collected(outcomes, messages)


def _is_meant(item: pytest.Item, only: set[str]) -> bool:
    if item.get_closest_marker("real_agent") is None:
        return False
    params: dict[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
    if "agent" in params and hasattr(params["agent"], "name"):
        return not only or params["agent"].name in only
    return not only or _agent_of(item.nodeid) in only


def _row(nodeid: str, properties: dict[str, object]) -> tuple[str, str]:
    match properties.get("conformance"):
        case [str(agent), str(feature)]:
            return agent, feature
    return _agent_of(nodeid), nodeid.rpartition("::")[2]


def _agent_of(nodeid: str) -> str:
    found = _OF_AGENT.search(f"/{nodeid}")
    # Kilo's tests are OpenCode's, with its name as a parameter.
    return "kilo" if "[kilo" in nodeid else found[1] if found else "several"
