"""The narrow waist: JSON-RPC frames as ACP speaks them, and the log entries that keep them."""

from sandbox_agent_core.frames.entry import LogEntry, Sender
from sandbox_agent_core.frames.jsonrpc import Frame, FrameKind, RequestId

__all__ = ["Frame", "FrameKind", "LogEntry", "RequestId", "Sender"]
