"""The fold of the TypeScript client gives the transcript that core's gives, whatever has happened."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest
from entries import entry
from event_lists import golden_events, shuffled, streamed
from sandbox_agent_core.events import EVENT_CLASSES, parse_event
from sandbox_agent_core.projection import project_wire
from sandbox_agent_core.view import fold
from transcripts import acp_transcripts, read_transcript

_SEED = SystemRandom().randrange(2**32)
"""A fresh one beside the fixed; a failure tells it."""


def _is_valid(wire: dict[str, Any]) -> bool:
    """What lacks a member that it must have is read as an update that nobody knows."""
    return type(parse_event(wire)) is EVENT_CLASSES[wire["type"]]


def _random_lists(seed: int, count: int) -> list[dict[str, Any]]:
    random = Random(seed)
    events = golden_events()
    lists = [
        {"events": [one for one in shuffled(random, events, count=60) if _is_valid(one)], "isWhole": False}
        for _ in range(count)
    ]  # fmt: skip
    lists += [{"events": streamed(random, count=80), "isWhole": True} for _ in range(count)]
    return lists


def _recorded(path: Path) -> list[dict[str, Any]]:
    asked: dict[tuple[str, str | int], str] = {}
    found = []
    for seq, (sender, frame, _) in enumerate(read_transcript(path), start=1):
        method = frame.get("method")
        if method is None:
            method = asked.pop(("agent" if sender == "client" else "client", frame["id"]), None)
        elif "id" in frame:
            asked[sender, frame["id"]] = method
        found.append(project_wire(entry(frame, sender, seq=seq, method=method)))
    return [wire for wire in found if wire is not None]


def _differences(node_program: Any, lists: list[dict[str, Any]]) -> list[Any]:
    lines = "".join(json.dumps(one) + "\n" for one in lists)
    answers = node_program.run("fold.mjs", stdin=lines).splitlines()
    assert len(answers) == len(lists)
    found: list[Any] = []
    for one, line in zip(lists, answers, strict=True):
        answer = json.loads(line)
        events = [parse_event(wire) for wire in one["events"]]
        wanted = fold(events).to_wire()
        if answer["problems"] or answer["transcript"] != wanted:
            wires = [event.to_wire() for event in events]
            found.append({"events": wires, "wanted": wanted, **answer})
    return found


def _check(differences: list[dict[str, Any]], about: str) -> None:
    if differences:
        first = differences[0]
        where = _first_difference(first["wanted"], first["transcript"])
        pytest.fail(
            f"{about}: {len(differences)} differ; the first {where or first['problems']}, of the events\n"
            + json.dumps(first["events"]),
            pytrace=False,
        )


def _first_difference(wanted: Any, found: Any, path: str = "at $") -> str:
    if isinstance(wanted, dict) and isinstance(found, dict):
        pairs = [
            (f".{key}", wanted.get(key, ...), found.get(key, ...)) for key in {**wanted, **found}
        ]
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = [
            (f"[{index}]", *pair) for index, pair in enumerate(zip(wanted, found, strict=True))
        ]
    else:
        return "" if wanted == found else f"{path}: {found!r} is not {wanted!r}"
    differences = (_first_difference(one, other, path + step) for step, one, other in pairs)
    return next(filter(None, differences), "")


def test_golden_events_and_recorded_conversations_fold_to_the_transcript_of_core(
    node_program: Any,
) -> None:
    golden = golden_events()
    lists = [{"events": [one], "isWhole": False} for one in golden]
    in_a_row = [{**one, "seq": seq} for seq, one in enumerate(golden, start=1)]
    lists.append({"events": in_a_row, "isWhole": False})
    lists += [{"events": _recorded(path), "isWhole": False} for path in acp_transcripts().values()]
    assert len(lists) > 60
    _check(_differences(node_program, lists), "golden")


@pytest.mark.parametrize("seed", [1, _SEED], ids=["fixed", "fresh"])
def test_random_events_fold_to_the_transcript_of_core(node_program: Any, seed: int) -> None:
    _check(_differences(node_program, _random_lists(seed, 80)), f"seed {seed}")
