"""What the suite found, as a table of agents and features. `AGENT_MATRIX=write` puts it into the docs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from agent_conformance.under_test import AGENTS, FEATURES

__all__ = ["Matrix", "render", "written"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "agents.md"
BEGIN = "<!-- matrix: written by the conformance suite, AGENT_MATRIX=write -->"
END = "<!-- /matrix -->"

Outcomes = dict[tuple[str, str], bool]
"""`(agent, feature)` -> whether all tests of it passed."""


class Matrix:
    """A pytest plug-in: collects, also from the workers of xdist, and prints in the end."""

    def __init__(self) -> None:
        self._outcomes: Outcomes = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
        report = yield
        mark = item.get_closest_marker("feature")
        agent = item.callspec.params.get("agent") if hasattr(item, "callspec") else None
        if mark is not None and agent is not None:
            report.user_properties.append(("conformance", [agent.name, mark.args[0]]))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            return
        for name, value in report.user_properties:
            if name == "conformance":
                agent, feature = value
                so_far = self._outcomes.get((agent, feature), True)
                self._outcomes[agent, feature] = so_far and report.passed

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._outcomes:
            return
        table = render(self._outcomes)
        terminalreporter.section("agents and features")
        terminalreporter.write_line(table)
        if os.environ.get("AGENT_MATRIX") == "write":
            PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")


def render(outcomes: Outcomes) -> str:
    """Markdown. What an agent has not, or has in another way, gets a number, explained below."""
    reasons: list[str] = []
    lines = [f"| | {' | '.join(AGENTS)} |", "|---|" + "---|" * len(AGENTS)]
    for feature, title in FEATURES.items():
        cells = [_cell(name, feature, outcomes, reasons) for name in AGENTS]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    notes = [f"{number}. {reason}" for number, reason in enumerate(reasons, start=1)]
    return "\n".join([*lines, "", *notes])


def _cell(name: str, feature: str, outcomes: Outcomes, reasons: list[str]) -> str:
    agent = AGENTS[name]
    reason = agent.lacks.get(feature) or agent.remarks.get(feature)
    if reason is not None and reason not in reasons:
        reasons.append(reason)
    note = "" if reason is None else f" ({reasons.index(reason) + 1})"
    if feature in agent.lacks:
        return f"no{note}"
    return {True: f"yes{note}", False: "**fails**", None: "?"}[outcomes.get((name, feature))]


def written(page: str, table: str) -> str:
    """The page with the table in its place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"
