"""A transcript as a Markdown document, for an issue or a review: it reads well where it is rendered, and as text, too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from sandbox_agent_core.content import ContentBlock, text_of
from sandbox_agent_core.events.tool import Diff
from sandbox_agent_core.lenient import as_dict, as_str
from sandbox_agent_core.tool_calls import title_of
from sandbox_agent_core.view.markdown_text import code_span, embedded, fenced, inline, quoted
from sandbox_agent_core.view.model import (
    HookItem,
    HostToolItem,
    Item,
    MessageItem,
    NoticeItem,
    PermissionItem,
    PlanItem,
    QuestionItem,
    ReasoningItem,
    ToolItem,
    Transcript,
    Turn,
)

__all__ = ["render_markdown"]

_MAX_OUTPUT_LINES: Final = 200
"""A forge shows no more of a page anyway, and the events have all."""
_MAX_DEPTH: Final = 12
"""Of calls in calls: no further than a reader can follow."""


def render_markdown(transcript: Transcript) -> str:
    """What the agents and files wrote in it is masked as everywhere, and cannot become markup of the document."""
    blocks = [*_head(transcript)]
    for number, turn in enumerate(transcript.turns, 1):
        blocks += _turn(turn, number)
    return "\n\n".join(block for block in blocks if block) + "\n"


def _head(transcript: Transcript) -> Iterator[str]:
    first = next((turn for turn in transcript.turns if turn.prompt), None)
    title = transcript.title or (text_of(first.prompt) if first and first.prompt else "")
    yield f"# {inline(title.strip().partition(chr(10))[0][:200]) or 'A session'}"
    began = next((turn.started_at for turn in transcript.turns if turn.started_at), None)
    model = f", model {code_span(transcript.model)}" if transcript.model else ""
    facts = [
        f"- Agent: {code_span(transcript.agent)}{model}" if transcript.agent else "",
        f"- Folder: {code_span(transcript.cwd)}" if transcript.cwd else "",
        f"- Session: {code_span(transcript.session_id)}" if transcript.session_id else "",
        f"- Began: {_utc(began)}" if began else "",
    ]
    yield "\n".join(fact for fact in facts if fact)


def _turn(turn: Turn, number: int) -> Iterator[str]:
    if turn.id or turn.prompt:
        when = f" · {_utc(turn.started_at)}" if turn.started_at else ""
        yield f"## Turn {number}{when}{' (taken back later)' if turn.rewound else ''}"
    if turn.prompt:
        yield from _said_by_a_person("You", turn.prompt)
    for steered in turn.steered:
        yield from _said_by_a_person("You, meanwhile", steered.content)
    inner = _Inner(turn.items)
    for item in inner.outermost:
        yield from _item(item, inner)
    if turn.error is not None:
        yield f"**Error** {code_span(turn.error.code)}: {inline(turn.error.message)}"
    facts = " · ".join(_facts(turn))
    yield f"*{facts}*" if facts else ""


class _Inner:
    """What was done inside of which call."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.of: defaultdict[str, list[Item]] = defaultdict(list)
        self.outermost: list[Item] = []
        known = list(items)
        calls = {item.tool_call_id for item in known if isinstance(item, ToolItem)}
        for item in known:
            parent = getattr(item, "parent_tool_call_id", None)
            (self.of[parent] if parent in calls else self.outermost).append(item)


def _said_by_a_person(who: str, blocks: list[ContentBlock]) -> Iterator[str]:
    text = text_of(blocks)
    if text.strip():
        yield f"**{who}**\n\n{quoted(embedded(text))}"
    yield from _attached(blocks)


def _attached(blocks: Iterable[ContentBlock]) -> Iterator[str]:
    for block in blocks:
        if block.type != "text":
            known = block.to_wire()
            names = (as_str(known.get(key)) for key in ("name", "uri", "mimeType", "type"))
            yield f"*Attached: {inline(next((name for name in names if name), 'something'))}*"


def _item(item: Item, inner: _Inner, depth: int = 0) -> Iterator[str]:
    match item:
        case MessageItem():
            text = embedded(item.text)
            yield quoted(text) if item.role == "user" and text else text
            yield from _attached(item.attachments)
        case ReasoningItem():
            text = embedded(item.text)
            yield f"*Thought*\n\n{quoted(text)}" if text else ""
        case ToolItem():
            yield from _tool(item, inner, depth)
        case PlanItem():
            boxes = {"completed": "[x]"}
            yield "\n".join(
                f"- {boxes.get(entry.status, '[ ]')} {inline(entry.content)}"
                for entry in item.entries
            )
        case PermissionItem():
            answer = item.option_name or item.option_kind or item.outcome or "not answered"
            about = code_span(item.command or title_of(item.tool_call))
            yield f"**Permission** {about}: {inline(answer)}{_by(item.decided_by, item.actor)}"
        case QuestionItem():
            yield from _question(item)
        case HookItem():
            answer = item.decision or item.outcome or "not answered"
            yield f"**Hook** {code_span(title_of(item.tool_call))}: {inline(answer)}"
        case HostToolItem():
            yield f"**Function** {code_span(item.tool)}: {item.outcome or 'not answered'}"
        case NoticeItem():
            words = [item.notice.replace("_", " "), item.text or item.code or ""]
            yield f"*{inline(': '.join(filter(None, words)))}*"


def _tool(item: ToolItem, inner: _Inner, depth: int) -> Iterator[str]:
    state = [] if item.status == "completed" else [item.status.replace("_", " ")]
    state += [f"exit code {item.exit_code}"] if item.exit_code else []
    yield " · ".join([f"**{inline(item.name or item.kind)}** {code_span(title_of(item))}", *state])
    for diff in item.diffs:
        yield fenced("\n".join(_patch(diff)), "diff")
    output = item.terminal_output or text_of(item.content) or _output(item.output)
    if output.strip():
        yield fenced(_shortened(output), "text")
    nested = inner.of.get(item.tool_call_id, [])
    if nested and depth < _MAX_DEPTH:
        blocks = [block for child in nested for block in _item(child, inner, depth + 1) if block]
        yield quoted("\n\n".join(blocks))


def _output(output: Any) -> str:
    if isinstance(output, str):
        return output
    told = as_dict(output)
    return "\n".join(filter(None, (as_str(told.get("stdout")), as_str(told.get("stderr")))))


def _patch(diff: Diff) -> Iterator[str]:
    yield f"--- {'/dev/null' if diff.old_text is None else diff.path}"
    yield f"+++ {diff.path}"
    for hunk in diff.hunks:
        places = (hunk.old_start, "-"), (hunk.new_start, "+")
        yield " ".join(
            ["@@", *(f"{sign}{line}" for line, sign in places if line is not None), "@@"]
        )
        yield from hunk.lines


def _shortened(output: str) -> str:
    """The beginning and the end: what was tried, and how it went."""
    lines = output.rstrip("\n").split("\n")
    if len(lines) <= _MAX_OUTPUT_LINES:
        return "\n".join(lines)
    half = _MAX_OUTPUT_LINES // 2
    left_out = f"… {len(lines) - 2 * half} lines left out …"
    return "\n".join([*lines[:half], left_out, *lines[-half:]])


def _question(item: QuestionItem) -> Iterator[str]:
    answers = item.answers or {}
    outcome = item.outcome or "not answered"
    if not item.questions:
        yield f"**Question** {inline(item.message)}: {inline(str(answers or outcome))}"
    for question in item.questions:
        answer = str(answers.get(question.id, outcome))
        yield f"**Question** {inline(question.question)}: {inline(answer)}"


def _by(decided_by: str | None, actor: str | None) -> str:
    who = actor or decided_by
    return f" ({inline(who)})" if who else ""


def _facts(turn: Turn) -> Iterator[str]:
    if turn.stop_reason not in {None, "end_turn"}:
        yield inline(str(turn.stop_reason).replace("_", " "))
    if turn.started_at and turn.ended_at:
        yield f"{(turn.ended_at - turn.started_at).total_seconds():.1f} s"
    if turn.usage is not None and turn.usage.total_tokens:
        yield f"{turn.usage.total_tokens} tokens"
    if turn.cost is not None:
        yield f"{turn.cost.amount:.4f} {inline(turn.cost.currency)}"
    if turn.changes is not None and turn.changes.files:
        totals = turn.changes.totals
        files = "1 file" if len(turn.changes.files) == 1 else f"{len(turn.changes.files)} files"
        yield f"{files} changed, +{totals.additions} −{totals.deletions}"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
