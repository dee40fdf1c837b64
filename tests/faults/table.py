"""The faults that were tried, as a table of what came of them. `FAULTS=write` puts it into the docs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["PAGE", "FaultTable", "described"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN = "<!-- faults: written by `make faults` -->"
END = "<!-- /faults -->"


@dataclass
class Tries:
    outcome: str
    survived: int = 0
    tried: int = 0


class FaultTable:
    """A pytest plug-in: collects, also from the workers of xdist, and prints in the end."""

    def __init__(self) -> None:
        self._faults: dict[str, Tries] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
        report = yield
        for mark in item.iter_markers("fault"):
            report.user_properties.append(("fault", list(mark.args)))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # One that fails before or after it was tried was not survived either.
        if report.skipped or (report.when != "call" and report.passed):
            return
        for name, value in report.user_properties:
            if name == "fault":
                what, outcome = value
                tries = self._faults.setdefault(what, Tries(outcome))
                tries.tried += 1
                tries.survived += report.passed

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._faults:
            return
        table = self._render()
        terminalreporter.section("faults")
        terminalreporter.write_line(table)
        if os.environ.get("FAULTS") == "write":
            PAGE.write_text(_written(PAGE.read_text(encoding="utf-8"), table), encoding="utf-8")

    def _render(self) -> str:
        lines = ["| fault | what comes of it | tried | survived |", "|---|---|---|---|"]
        lines += [
            f"| {what} | {tries.outcome} | {tries.tried} | {tries.survived} |"
            for what, tries in sorted(self._faults.items())
        ]
        tried = sum(tries.tried for tries in self._faults.values())
        survived = sum(tries.survived for tries in self._faults.values())
        return "\n".join([*lines, f"| **all** | | **{tried}** | **{survived}** |"])


def described(page: str) -> set[str]:
    """The faults that the page tells of."""
    table = page.partition(BEGIN)[2].partition(END)[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return {row[0].removeprefix("| ") for row in rows[1:-1]}


def _written(page: str, table: str) -> str:
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"
