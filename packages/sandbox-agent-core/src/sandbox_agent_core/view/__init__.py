"""The transcript: what a session's events add up to."""

from __future__ import annotations

from sandbox_agent_core.view.context import render_context
from sandbox_agent_core.view.fold import TranscriptFolder, fold
from sandbox_agent_core.view.log_fold import LogFolder
from sandbox_agent_core.view.markdown import render_markdown
from sandbox_agent_core.view.model import (
    ContextUsage,
    HookItem,
    HostToolItem,
    Item,
    MessageItem,
    NoticeItem,
    PermissionItem,
    PlanItem,
    QuestionItem,
    QueuedPrompt,
    ReasoningItem,
    RequestItem,
    SessionEnd,
    SteeredPrompt,
    Task,
    ToolItem,
    Transcript,
    Turn,
)

__all__ = [
    "ContextUsage",
    "HookItem",
    "HostToolItem",
    "Item",
    "LogFolder",
    "MessageItem",
    "NoticeItem",
    "PermissionItem",
    "PlanItem",
    "QuestionItem",
    "QueuedPrompt",
    "ReasoningItem",
    "RequestItem",
    "SessionEnd",
    "SteeredPrompt",
    "Task",
    "ToolItem",
    "Transcript",
    "TranscriptFolder",
    "Turn",
    "fold",
    "render_context",
    "render_markdown",
]
