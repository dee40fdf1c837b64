"""The skill can be found by those who read skills; its commands and programs run in `test_snippets`."""

from __future__ import annotations

from pathlib import Path

import yaml
from support.snippets.blocks import blocks_of

SKILL = Path(__file__).resolve().parents[2] / "skills" / "sandbox-agent" / "SKILL.md"


def test_it_has_a_name_and_says_when_to_use_it() -> None:
    _, head, body = SKILL.read_text(encoding="utf-8").split("---\n", 2)
    about = yaml.safe_load(head)
    assert about["name"] == SKILL.parent.name
    assert "Use when" in about["description"]
    assert len(about["description"]) <= 1024
    assert len(body.splitlines()) < 500


def test_most_of_what_it_tells_to_do_runs() -> None:
    """Not a skill of things that nobody has tried."""
    blocks = [*blocks_of(SKILL)]
    not_run = [block for block in blocks if block.not_run]
    assert len(not_run) <= 2 < len(blocks) - len(not_run)
