"""A transcript as text, to give to a new agent as its context."""

from __future__ import annotations

from collections.abc import Iterator

from sandbox_agent_core.content import ContentBlock, text_of
from sandbox_agent_core.tool_calls import title_of
from sandbox_agent_core.view.model import (
    Item,
    MessageItem,
    NoticeItem,
    PermissionItem,
    PlanItem,
    QuestionItem,
    ToolItem,
    Transcript,
    Turn,
)

__all__ = ["render_context"]

_HEAD = """\
What follows is the record of an earlier conversation between the user and a coding agent in this \
workspace. You take over from that agent and do not remember it, so it is given here as context. \
All of it has happened already: do not answer it, and do not do again what it reports as done.

<earlier_conversation>
"""
_TAIL = "\n</earlier_conversation>"
_OMITTED = "[older entries are left out]\n\n"
_CUT = "\n[... cut ...]\n"
_SEPARATOR = "\n\n"
_MAX_OUTPUT_CHARS = 2000
_MARKS = {"completed": "x", "in_progress": ">", "pending": " "}


def render_context(transcript: Transcript, *, max_events: int, max_chars: int) -> str:
    """The end of the conversation, in at most `max_events` entries and `max_chars` characters.

    The most recent entries are kept; the oldest of them is cut in its middle if it does not fit.
    Empty when there is no entry, or no room for one.
    """
    entries = [entry for turn in transcript.turns if not turn.rewound for entry in _entries(turn)]
    room = max_chars - len(_HEAD) - len(_OMITTED) - len(_TAIL)
    kept: list[str] = []
    for entry in reversed(entries[-max_events:] if max_events > 0 else []):
        size = room - (len(_SEPARATOR) if kept else 0)
        text = _shortened(entry, size)
        if not text:
            break
        kept.append(text)
        room = size - len(text)
        if text != entry:
            break
    if not kept:
        return ""
    omitted = _OMITTED if len(kept) < len(entries) else ""
    return _HEAD + omitted + _SEPARATOR.join(reversed(kept)) + _TAIL


def _shortened(text: str, max_chars: int) -> str:
    """The text, or its beginning and its end; empty when even that would say nothing."""
    if len(text) <= max_chars:
        return text
    half = (max_chars - len(_CUT)) // 2
    return f"{text[:half]}{_CUT}{text[-half:]}" if half >= 40 else ""


def _entries(turn: Turn) -> Iterator[str]:
    if turn.prompt is not None:
        yield f"User: {_content(text_of(turn.prompt), turn.prompt)}"
    for steered in turn.steered:
        yield f"User, meanwhile: {_content(text_of(steered.content), steered.content)}"
    for item in turn.items:
        text = _item(item)
        if text:
            yield text
    if turn.stop_reason not in {None, "end_turn"}:
        why = f": {turn.error.message}" if turn.error is not None else ""
        yield f"[The turn ended early ({turn.stop_reason}){why}]"


def _item(item: Item) -> str | None:
    match item:
        case MessageItem():
            speaker = "User" if item.role == "user" else "Assistant"
            text = _content(item.text, item.attachments)
            return f"{speaker}: {text}" if text else None
        case ToolItem():
            return _tool(item)
        case PlanItem():
            lines = [f"- [{_MARKS[entry.status]}] {entry.content}" for entry in item.entries]
            return "\n".join(["Plan:", *lines])
        case PermissionItem():
            decision = item.option_name or item.option_kind or item.outcome or "not answered"
            return f"[Permission asked: {title_of(item.tool_call)}. Answer: {decision}]"
        case QuestionItem():
            return _question(item)
        case NoticeItem():
            return f"[{item.text}]" if item.text else None
        case _:
            # Reasoning: agents do not get theirs back either.
            return None


def _tool(item: ToolItem) -> str:
    lines = [f"Tool ({item.status}): {title_of(item)}"]
    lines += [f"changed {diff.path}" for diff in item.diffs]
    output = item.terminal_output or text_of(item.content)
    if not output and isinstance(item.output, str):
        output = item.output
    if output:
        lines.append(_shortened(output.strip(), _MAX_OUTPUT_CHARS))
    if item.exit_code is not None:
        lines.append(f"exit code {item.exit_code}")
    return "\n".join(lines)


def _question(item: QuestionItem) -> str:
    lines = [f"Question: {item.message}".rstrip()]
    answers = item.answers or {}
    lines += [
        f"- {question.question} Answer: {answers.get(question.id, 'none')}"
        for question in item.questions
    ]
    if not item.questions:
        lines.append(f"Answer: {answers or item.outcome or 'none'}")
    return "\n".join(lines)


def _content(text: str, blocks: list[ContentBlock]) -> str:
    others = [f"[{block.type}]" for block in blocks if block.type != "text"]
    return " ".join([text, *others]).strip()
