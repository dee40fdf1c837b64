from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.content import (
    EmbeddedResource,
    ImageBlock,
    ResourceLink,
    TextBlock,
    parse_prompt,
    text_block,
    text_of,
)
from sandbox_agent_core.errors import InvalidRequest


def test_text_is_one_block() -> None:
    assert parse_prompt("hi") == [TextBlock(text="hi")]
    assert [block.to_wire() for block in parse_prompt("hi")] == [{"type": "text", "text": "hi"}]


def test_blocks_may_be_models_or_json_and_keep_what_we_do_not_know() -> None:
    given: list[Any] = [
        text_block("a"),
        {"type": "image", "data": "aGk=", "mimeType": "image/png", "_meta": {"x": 1}},
        {"type": "resource_link", "uri": "file:///a", "name": "a", "size": 3},
        {"type": "resource", "resource": {"uri": "file:///a", "text": "b"}},
    ]
    blocks = parse_prompt(given)
    kinds = [TextBlock, ImageBlock, ResourceLink, EmbeddedResource]
    assert [type(block) for block in blocks] == kinds
    assert [block.to_wire() for block in blocks[1:]] == given[1:]


def test_python_spelling_is_written_as_the_wire_wants_it() -> None:
    block = ImageBlock(data="aGk=", mime_type="image/png")
    assert block.to_wire() == {"type": "image", "data": "aGk=", "mimeType": "image/png"}


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        [],
        None,
        5,
        {"type": "text", "text": "not in a list"},
        [""],
        [{"text": "no type"}],
        [{"type": "hologram", "depth": 3}],
        [{"type": "image", "data": "no mime type"}],
        [{"type": "text", "text": 5}],
    ],
)
def test_a_prompt_that_is_none_is_refused(prompt: Any) -> None:
    with pytest.raises(InvalidRequest):
        parse_prompt(prompt)


def test_the_refusal_names_the_block_and_the_field() -> None:
    with pytest.raises(InvalidRequest, match=r"content\[1\].*`mimeType`"):
        parse_prompt([{"type": "text", "text": "a"}, {"type": "image", "data": "b"}])


def test_text_of_joins_text_and_passes_over_the_rest() -> None:
    image = ImageBlock(data="aGk=", mime_type="image/png")
    assert text_of([text_block("a"), image, {"type": "text", "text": "b"}]) == "ab"
    assert text_of([{"type": "text"}, {}]) == ""
