"""An answer of a type: what is asked for, and how it is found in what an agent says."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest
from pydantic import BaseModel, Field
from sandbox_agent_client import PromptResult, errors
from sandbox_agent_client._output import OutputReader


class Line(BaseModel):
    file: str
    number: int = Field(ge=1)


class Report(BaseModel):
    lines: list[Line]
    day: datetime.date | None = None


@dataclasses.dataclass
class Point:
    x: int
    y: int


def said(text: str = "", output: Any = None) -> PromptResult:
    return PromptResult(turn_id="turn_1", stop_reason="end_turn", text=text, output=output)


JSON = '{"lines": [{"file": "a.py", "number": 3}], "day": "2026-11-28"}'


@pytest.mark.parametrize(
    "text",
    [
        JSON,
        f"\n {JSON}\n",
        f"Here it is:\n```json\n{JSON}\n```\nAnything else?",
        f'First I thought of\n```json\n{{"lines": 7}}\n```\nbut it is\n```\n{JSON}\n```',
        f"It is {JSON}, as you see.",
        f"I looked at [this and {{that}}: {JSON}",
    ],
)
def test_the_json_of_an_answer_is_found(text: str) -> None:
    found = OutputReader(Report).read(said(text), repairs=1)
    assert found.output == Report(
        lines=[Line(file="a.py", number=3)], day=datetime.date(2026, 11, 28)
    )
    assert (found.turn_id, found.text, found.repairs) == ("turn_1", text, 1)


def test_what_an_agent_gives_by_the_schema_goes_before_its_text() -> None:
    found = OutputReader(Report).read(said("Done.", {"lines": []}), repairs=0)
    assert found.output == Report(lines=[])


@pytest.mark.parametrize("type_", [Report, Point, list[Line], dict[str, int], int, bool | None])
def test_the_root_of_every_schema_is_an_object_with_members(type_: Any) -> None:
    schema = OutputReader(type_).schema
    assert schema["type"] == "object"
    assert schema["properties"]


def test_a_type_that_is_no_object_is_asked_for_in_one() -> None:
    reader = OutputReader(list[Line])
    assert reader.schema["required"] == ["result"]
    assert "$ref" in reader.schema["properties"]["result"]["items"]
    wrapped = reader.read(said(output={"result": [{"file": "a", "number": 1}]}), repairs=0)
    plain = reader.read(said('[{"file": "a", "number": 1}]'), repairs=0)
    assert wrapped.output == plain.output == [Line(file="a", number=1)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("I could not.", "no JSON"),
        ("", "no JSON"),
        ('{"lines": [{"file": "a.py", "number": 0}]}', "lines.0.number"),
        ("[" * 100_000, "no JSON"),
        ('{"lines": NaN}', "lines"),
    ],
)
def test_an_answer_that_does_not_fit_says_where(text: str, problem: str) -> None:
    reader = OutputReader(Report)
    with pytest.raises(errors.OutputInvalid, match=problem) as caught:
        reader.read(said(text), repairs=0)
    assert caught.value.details["text"] == text
    assert problem in reader.repair_prompt(caught.value)


def test_many_problems_are_counted() -> None:
    lines = [{"file": 7, "number": 0}] * 50
    with pytest.raises(errors.OutputInvalid, match="90 more"):
        OutputReader(Report).read(said(output={"lines": lines}), repairs=0)


def test_a_type_without_a_schema_is_refused() -> None:
    with pytest.raises(errors.InvalidRequest, match="output_type"):
        OutputReader(type("Own", (), {}))
