"""A transcript on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text
from sandbox_agent_core.content import text_of
from sandbox_agent_core.tool_calls import title_of
from sandbox_agent_core.view import (
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
)

from sandbox_agent_client.cli.diffs import diff_text
from sandbox_agent_client.cli.plain import plain

__all__ = ["show_transcript"]

_TOOL_STYLES = {"completed": "green", "failed": "red"}


def show_transcript(transcript: Transcript, console: Console) -> None:
    def line(text: str, style: str = "") -> None:
        console.print(Text(plain(text), style), soft_wrap=True)

    title = f": {transcript.title}" if transcript.title else ""
    line(f"session {transcript.session_id} ({transcript.agent}){title}", "dim")
    for turn in transcript.turns:
        if turn.prompt is not None:
            mark = " [the session went back to before this]" if turn.rewound else ""
            line(f"\n> {text_of(turn.prompt)}{mark}", "bold")
        for steered in turn.steered:
            line(f"> meanwhile: {text_of(steered.content)}", "bold")
        for item in turn.items:
            _show(item, console)
        if turn.stop_reason not in {None, "end_turn"}:
            why = f": {turn.error.message}" if turn.error is not None else ""
            line(f"[{turn.stop_reason}{why}]", "yellow")


def _show(item: Item, console: Console) -> None:
    text, style = _line(item)
    if text:
        console.print(Text(plain(text), style), soft_wrap=True)
    if isinstance(item, ToolItem):
        for diff in item.diffs:
            console.print(diff_text(diff), end="", soft_wrap=True)


def _line(item: Item) -> tuple[str, str]:
    match item:
        case MessageItem():
            return item.text, "" if item.role == "assistant" else "bold"
        case ReasoningItem():
            return item.text, "dim italic"
        case ToolItem():
            return f"● {title_of(item)} [{item.status}]", _TOOL_STYLES.get(item.status, "cyan")
        case PlanItem():
            return "\n".join(f"  [{one.status}] {one.content}" for one in item.entries), ""
        case PermissionItem():
            answer = item.option_name or item.option_kind or item.outcome or "not answered"
            return (
                f"  permission for {title_of(item.tool_call)}: {answer} ({item.decided_by or '?'})",
                "dim",
            )
        case HookItem():
            answer = item.decision or item.outcome or "not answered"
            return f"  hook {item.hook}, {title_of(item.tool_call)}: {answer}", "dim"
        case HostToolItem():
            return f"  function {item.tool}: {item.outcome or 'not answered'}", "dim"
        case QuestionItem():
            return f"  question: {item.message} {item.answers or item.outcome or ''}", "dim"
        case NoticeItem():
            about = item.text or item.code or ""
            return f"  {item.notice.replace('_', ' ')}: {about}", "yellow"
