"""The page about reliability tells of the faults that are tried, of all of them, and of no others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from faults.table import PAGE, described

ROOT = Path(__file__).resolve().parents[2]


def tried() -> Iterator[str]:
    for path in [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("packages/*/tests/**/test_*.py")]:
        text = path.read_text(encoding="utf-8")
        if "mark.fault(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
                what, outcome = (ast.literal_eval(argument) for argument in node.args)
                assert what
                assert outcome
                assert "|" not in what + outcome
                yield what


def test_the_table_has_every_fault_that_is_tried() -> None:
    assert described(PAGE.read_text(encoding="utf-8")) == set(tried()), "run `make faults`"
