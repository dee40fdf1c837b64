"""Live output for people: what the agent says, does and asks, as it happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from rich.console import Console
from rich.text import Text
from sandbox_agent_core.events import (
    AgentExited,
    AgentUnparsed,
    ContextCompacted,
    Diff,
    ErrorReported,
    Event,
    McpStatus,
    MessageCompleted,
    MessageDelta,
    ModeChanged,
    PermissionModeChanged,
    PermissionResolved,
    PlanUpdated,
    QuestionResolved,
    ReasoningCompleted,
    ReasoningDelta,
    SessionResumed,
    TaskEnded,
    TaskStarted,
    ToolCompleted,
    ToolStarted,
    ToolUpdated,
    TurnDropped,
    TurnEnded,
    TurnQueued,
    TurnStarted,
    TurnSteered,
    UsageUpdated,
)
from sandbox_agent_core.events.agent import OUT_OF_MEMORY

from sandbox_agent_client.cli.diffs import diff_text
from sandbox_agent_client.cli.plain import last_seen, plain

__all__ = ["Renderer"]

MAX_OUTPUT_LINES = 12
"""Shown of the output of a tool; the rest is counted."""
MAX_REMARK_CHARS = 200
_MARKS = {"completed": ("✔", "green"), "failed": ("✘", "red")}
_PLAN_MARKS = {"completed": "☑", "in_progress": "▸", "pending": "☐"}
Voice = Literal["message", "reasoning"]


class Renderer:
    """Shows events in their order. The conversation goes to one console, remarks about it to another."""

    def __init__(self, console: Console, remarks: Console) -> None:
        self._console = console
        self._remarks = remarks
        self.streams: Callable[[], bool] = lambda: True
        """Whether a message that begins now is shown as it comes, or when it is whole."""
        self._held: set[tuple[str, str | None]] = set()
        """Messages that are shown when they are whole."""
        self._voice: Voice | None = None
        self._at_line_start = True
        self._streamed: set[tuple[str, str | None]] = set()
        """Messages whose text was shown as it came. Sub-agents speak at the same time."""
        self._titles: dict[str, str] = {}
        self._changes: set[tuple[str | None, str, tuple[str, ...]]] = set()
        """Diffs of calls under way that were shown already, when somebody was asked about them."""
        self._tasks: dict[str, str] = {}
        """Titles of background tasks that run."""
        self._usage: UsageUpdated | None = None

    def show(self, event: Event) -> None:
        match event:
            case MessageDelta(role="assistant") | ReasoningDelta():
                self._delta(event)
            case MessageCompleted(role="assistant") | ReasoningCompleted():
                self._completed(event)
            case ToolStarted() | ToolUpdated():
                self._tool(event)
            case ToolCompleted():
                self._tool_completed(event)
            case PlanUpdated():
                self._plan(event)
            case UsageUpdated():
                self._usage = event
            case TurnStarted() | TaskStarted() | TaskEnded():
                self._remark_on_background(event)
            case TurnEnded():
                self._ended(event)
            case _:
                self._remark_on(event)

    def line(self, text: str, style: str = "") -> None:
        """A line of its own, after whatever is being streamed."""
        self._break()
        self._console.print(Text(plain(text), style), soft_wrap=True)

    def remark(self, text: str, style: str = "dim") -> None:
        self._break()
        self._remarks.print(Text(plain(text), style), soft_wrap=True)

    def diff(self, diff: Diff, console: Console, tool_call_id: str | None) -> None:
        """Once for each call on one screen: what was shown when it was asked is not shown again when it is done."""
        lines = (line for hunk in diff.hunks for line in hunk.lines)
        change = (tool_call_id, diff.path, tuple(line for line in lines if line[:1] in "+-"))
        if change in self._changes:
            return
        if self._console.is_terminal:
            self._changes.add(change)
        self._break()
        console.print(diff_text(diff), end="", soft_wrap=True)

    def _delta(self, event: MessageDelta | ReasoningDelta) -> None:
        voice: Voice = "message" if isinstance(event, MessageDelta) else "reasoning"
        text = event.text or (f"[{event.content.type}]" if event.content is not None else "")
        message = (voice, event.message_id)
        if message not in self._streamed and (message in self._held or not self.streams()):
            self._held.add(message)
            return
        self._streamed.add(message)
        self._say(voice, text, is_subagent=event.parent_tool_call_id is not None)

    def _completed(self, event: MessageCompleted | ReasoningCompleted) -> None:
        voice: Voice = "message" if isinstance(event, MessageCompleted) else "reasoning"
        if (voice, event.message_id) not in self._streamed:
            self._say(voice, event.text, is_subagent=event.parent_tool_call_id is not None)
        self._streamed.discard((voice, event.message_id))
        self._held.discard((voice, event.message_id))
        self._break()

    def _say(self, voice: Voice, text: str, *, is_subagent: bool) -> None:
        text = plain(text)
        if not text:
            return
        if voice != self._voice:
            self._break()
            self._voice = voice
        style = "dim italic" if voice == "reasoning" else "dim" if is_subagent else ""
        self._console.print(Text(text, style), end="", soft_wrap=True)
        self._at_line_start = text.endswith("\n")

    def _break(self) -> None:
        if not self._at_line_start:
            self._console.print()
            self._at_line_start = True
        self._voice = None

    def _tool(self, event: ToolStarted | ToolUpdated) -> None:
        known = self._titles.get(event.tool_call_id)
        title = event.title or known or event.name or event.kind
        if title != known:
            self._titles[event.tool_call_id] = title
            self.line(f"● {title}", "cyan")
        if event.terminal_output:
            self._output(event.terminal_output)

    def _tool_completed(self, event: ToolCompleted) -> None:
        known = self._titles.pop(event.tool_call_id, None)
        title = event.title or known or event.name or event.kind
        mark, style = _MARKS[event.status]
        exit_code = f" (exit code {event.exit_code})" if event.exit_code else ""
        reason = f": {event.reason.replace('_', ' ')}" if event.reason else ""
        for diff in event.diffs:
            self.diff(diff, self._console, event.tool_call_id)
        self._changes = {one for one in self._changes if one[0] != event.tool_call_id}
        self._output(event.terminal_output or _text_of(event))
        self.line(f"{mark} {title}{exit_code}{reason}", style)

    def _output(self, text: str) -> None:
        lines = plain(last_seen(text)).rstrip().splitlines()
        for line in lines[:MAX_OUTPUT_LINES]:
            self.line(f"  {line}", "dim")
        if len(lines) > MAX_OUTPUT_LINES:
            self.line(f"  … {len(lines) - MAX_OUTPUT_LINES} more lines", "dim")

    def _plan(self, event: PlanUpdated) -> None:
        self.line("Plan", "bold")
        for entry in event.entries:
            style = "dim" if entry.status == "completed" else ""
            self.line(f"  {_PLAN_MARKS[entry.status]} {entry.content}", style)

    def _remark_on(self, event: Event) -> None:
        match event:
            case TurnQueued(position=position):
                self.remark(f"waiting: {position or 'some'} before this prompt")
            case TurnDropped(reason=reason):
                self.remark(f"the prompt was dropped: {reason}", "yellow")
            case PermissionResolved(outcome="selected"):
                answer = event.option_name or event.option_kind or "answered"
                self.remark(
                    f"  permission: {answer} ({event.rule or event.actor or event.decided_by})"
                )
            case PermissionResolved() | QuestionResolved(outcome="cancelled"):
                self.remark("  the request was withdrawn")
            case TurnSteered(text=text):
                self.remark(f"> meanwhile: {text}")
            case ContextCompacted():
                self.remark(_compacted(event))
            case SessionResumed(continuity=continuity, reason=reason):
                self.remark(f"resumed ({continuity})" + (f": {reason}" if reason else ""))
            case ModeChanged(mode_id=mode) | PermissionModeChanged(permission_mode=mode):
                self.remark(f"mode: {mode}")
            case _:
                self._remark_on_fault(event)

    def _remark_on_fault(self, event: Event) -> None:
        match event:
            case ErrorReported(message=message):
                self.remark(f"error: {message}", "red")
            case McpStatus(status="failed" | "needs-auth" | "slow" as status):
                why = f": {event.error}" if event.error else ""
                self.remark(f"MCP server {event.server!r}: {status}{why}", "yellow")
            case AgentUnparsed(text=text):
                self.remark(f"not a protocol message: {text[:MAX_REMARK_CHARS]}")
            case AgentExited(expected=False):
                how = f"signal {event.signal}" if event.signal else f"status {event.exit_code}"
                if event.reason == OUT_OF_MEMORY:
                    how += ": the sandbox was out of memory"
                self.remark(f"the agent ended with {how}\n{event.stderr_tail}".rstrip(), "red")
            case _:
                pass

    def _remark_on_background(self, event: TurnStarted | TaskStarted | TaskEnded) -> None:
        match event:
            case TurnStarted(origin="agent"):
                self.remark("the agent goes on by itself")
            case TaskStarted(title=title, kind=kind):
                self._tasks[event.task_id] = title or kind
                self.remark(f"in the background: {title or kind}")
            case TaskEnded(status=status, summary=summary):
                title = self._tasks.pop(event.task_id, event.task_id)
                self.remark(f"in the background, {status}: {summary or title}")

    def _ended(self, event: TurnEnded) -> None:
        parts: list[str] = [event.stop_reason]
        if event.error is not None:
            self.remark(f"{event.stop_reason}: {event.error.message}", "red")
            parts.clear()
        if event.usage is not None:
            counts = (("in", event.usage.input_tokens), ("out", event.usage.output_tokens))
            parts += [f"{count:,} tokens {way}" for way, count in counts if count is not None]
        if self._usage is not None:
            parts += _context(self._usage)
        if parts:
            self.remark(" · ".join(parts))


def _compacted(event: ContextCompacted) -> str:
    sizes = [f"{size:,}" for size in (event.pre_tokens, event.post_tokens) if size is not None]
    return "the context was compacted" + (f": {' -> '.join(sizes)} tokens" if sizes else "")


def _context(usage: UsageUpdated) -> list[str]:
    parts = []
    if usage.context_used is not None and usage.context_size:
        parts.append(f"context {usage.context_used / usage.context_size:.0%}")
    if usage.cost is not None:
        parts.append(f"{usage.cost.amount:.4f} {usage.cost.currency}")
    return parts


def _text_of(event: ToolCompleted) -> str:
    texts = [str(getattr(block, "text", "")) for block in event.content if block.type == "text"]
    return "\n".join(texts) or (event.output if isinstance(event.output, str) else "")
