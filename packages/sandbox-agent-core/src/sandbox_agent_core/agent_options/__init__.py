"""What a session can ask of one agent and of no other: a model for each, which editors complete and servers check.

Only models and no adapter: whoever makes a session needs them where no server is installed.
"""

from sandbox_agent_core.agent_options.amp import AmpOptions
from sandbox_agent_core.agent_options.base import AgentOptions
from sandbox_agent_core.agent_options.claude import ClaudeOptions, ClaudeSubagent
from sandbox_agent_core.agent_options.codex import CodexOptions
from sandbox_agent_core.agent_options.copilot import CopilotOptions
from sandbox_agent_core.agent_options.gemini import GeminiOptions
from sandbox_agent_core.agent_options.mock import MockOptions
from sandbox_agent_core.agent_options.opencode import KiloOptions, OpenCodeAgent, OpenCodeOptions
from sandbox_agent_core.agent_options.pi import PiOptions
from sandbox_agent_core.agent_options.qwen import QwenOptions

__all__ = [
    "AgentOptions",
    "AmpOptions",
    "ClaudeOptions",
    "ClaudeSubagent",
    "CodexOptions",
    "CopilotOptions",
    "GeminiOptions",
    "KiloOptions",
    "MockOptions",
    "OpenCodeAgent",
    "OpenCodeOptions",
    "PiOptions",
    "QwenOptions",
]
"""The client exports them all: a model that is added here is importable from it, too."""
