"""The one shape of a change of a file: its texts, its hunks with their lines, and whether that is all of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Final, cast

from sandbox_agent_core.lenient import as_dict, as_int, as_str, compact

__all__ = [
    "MAX_COMPARED_LINES",
    "MAX_HUNK_CHARS",
    "NO_NEWLINE",
    "diff_data",
    "hunks_of",
    "told_diff",
]

MAX_HUNK_CHARS: Final = 1024 * 1024
"""Of the old and the new text together; a larger change has no hunks, its texts are all there is."""
MAX_COMPARED_LINES: Final = 1500
"""From the first that differs to the last, of either text. Of more, and of lines that repeat so much that comparing
them takes long, one hunk takes all out and puts all in."""
NO_NEWLINE: Final = "\\ No newline at end of file"
_CONTEXT: Final = 3
_SMALL: Final = 200
_MAX_PAIRS_PER_LINE: Final = 4


def told_diff(item: dict[str, Any]) -> dict[str, Any]:
    """The data of an ACP `{type: diff, path, oldText?, newText}`.

    ACP does not say whether the texts are the whole file, nor where a piece of it begins. Adapters say it in
    `_meta.sandbox_agent`: `isWholeFile`, `startLine` (from 1, in the file as it was) and `newStartLine`.
    """
    meta = as_dict(as_dict(item.get("_meta")).get("sandbox_agent"))
    is_whole = meta.get("isWholeFile")
    return diff_data(
        item["path"],
        as_str(item.get("oldText")),
        item["newText"],
        is_whole_file=is_whole if isinstance(is_whole, bool) else None,
        start=as_int(meta.get("startLine")),
        new_start=as_int(meta.get("newStartLine")),
    )


def diff_data(
    path: str,
    old: str | None,
    new: str,
    *,
    is_whole_file: bool | None = None,
    start: int | None = None,
    new_start: int | None = None,
    hunks: Sequence[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """The data of a `Diff`. `old` None: a new file."""
    if old is None:
        is_whole_file = True
    if is_whole_file:
        start = new_start = 1
    if hunks is None:
        hunks = hunks_of(old or "", new, start, start if new_start is None else new_start)
    return compact(
        path=path, oldText=old, newText=new, isWholeFile=is_whole_file, hunks=list(hunks) or None
    )


def hunks_of(old: str, new: str, start: int | None, new_start: int | None) -> list[dict[str, Any]]:
    """`{oldStart?, newStart?, lines}` of each hunk, as a unified diff has them.

    `start`, `new_start`: the lines of their files, from 1, at which the texts begin; None where nobody knows.
    """
    if len(old) + len(new) > MAX_HUNK_CHARS:
        return []
    before, after = _lines(old), _lines(new)
    found = []
    for group in _groups(before, after):
        _, old_from, _, new_from, _ = group[0]
        lines: list[str] = []
        for tag, i, i_end, j, j_end in group:
            if tag == "equal":
                lines += _signed(" ", before[i:i_end])
            else:
                lines += [*_signed("-", before[i:i_end]), *_signed("+", after[j:j_end])]
        found.append(
            compact(
                oldStart=None if start is None else _at(start, old_from, before),
                newStart=None if new_start is None else _at(new_start, new_from, after),
            )
            | {"lines": lines}
        )
    return found


_Op = tuple[str, int, int, int, int]


def _groups(before: list[str], after: list[str]) -> Iterator[list[_Op]]:
    """What differs, with its context; as `SequenceMatcher.get_grouped_opcodes`, in bounded time."""
    head = _common(before, after)
    if head == len(before) == len(after):
        return
    tail = _common(before[head:][::-1], after[head:][::-1])
    old_middle, new_middle = before[head : len(before) - tail], after[head : len(after) - tail]
    # The common ends stay out of the comparison, but for the context they give.
    context_head, context_tail = min(head, _CONTEXT), min(tail, _CONTEXT)
    ops = [
        (tag, i + head, i_end + head, j + head, j_end + head)
        for tag, i, i_end, j, j_end in _compared(old_middle, new_middle)
    ]
    group: list[_Op] = []
    if context_head:
        group.append(("equal", head - context_head, head, head - context_head, head))
    for tag, i, i_end, j, j_end in ops:
        if tag == "equal" and i_end - i > 2 * _CONTEXT:
            yield [*group, ("equal", i, i + _CONTEXT, j, j + _CONTEXT)]
            group = [("equal", i_end - _CONTEXT, i_end, j_end - _CONTEXT, j_end)]
        else:
            group.append((tag, i, i_end, j, j_end))
    if context_tail:
        i, j = len(before) - tail, len(after) - tail
        group.append(("equal", i, i + context_tail, j, j + context_tail))
    yield group


def _compared(old: list[str], new: list[str]) -> Sequence[_Op]:
    size = max(len(old), len(new))
    if size <= MAX_COMPARED_LINES:
        matcher: Any = SequenceMatcher(None, old, new)
        # Each common stretch costs as much as there are pairs of equal lines.
        pairs = sum(len(matcher.b2j.get(line, ())) for line in old)
        if size <= _SMALL or pairs <= _MAX_PAIRS_PER_LINE * size:
            return cast(Sequence[_Op], matcher.get_opcodes())
    return [("replace", 0, len(old), 0, len(new))]


def _common(one: list[str], other: list[str]) -> int:
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )


def _at(start: int, offset: int, lines: list[str]) -> int:
    """Of an empty text a unified diff names the line before: 0 of an empty file."""
    return start + offset if lines else start - 1


def _signed(sign: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield sign + line.removesuffix("\n")
        if not line.endswith("\n"):
            yield NO_NEWLINE


def _lines(text: str) -> list[str]:
    # Not `splitlines`, which also splits at form feeds and the line separators of Unicode.
    lines = [line + "\n" for line in text.split("\n")]
    if lines[-1] == "\n":
        return lines[:-1]
    lines[-1] = lines[-1].removesuffix("\n")
    return lines
