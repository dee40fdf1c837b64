"""Messages that are not what they were when they were recorded: none may end the session."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from replay import Replay

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.jsonl"))
ODD: list[Any] = [
    None,
    0,
    -1.5,
    True,
    "",
    "x",
    [],
    {},
    [None],
    [7, "y"],
    {"type": "text"},
    {"id": 3},
]


def messages() -> list[dict[str, Any]]:
    return [
        item["claude"]
        for path in TRANSCRIPTS
        for item in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        if "claude" in item
    ]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every `(container, key)` in a message."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


@pytest.mark.parametrize("seed", range(8))
def test_any_value_may_be_anything(seed: int) -> None:
    rng = random.Random(seed)
    replay = Replay()
    for message in messages():
        odd = copy.deepcopy(message)
        container, key = rng.choice([place for place in places(odd) if place[1] != "type"])
        if rng.random() < 0.5 or isinstance(container, list):
            container[key] = rng.choice(ODD)
        else:
            del container[key]
        if not replay.translator.is_prompted:
            replay.prompt(rng.choice(["hello", "/compact"]))
        replay.claude(odd)
        replay.out.clear()
