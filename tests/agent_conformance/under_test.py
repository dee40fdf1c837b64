"""The agents that the suite drives: how each reaches a scripted model, and what it does not have, and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from support.agents import installed_binary, load_pins
from support.fixtures import claude_env, codex_env, opencode_env, pi_env, plain_env, with_node
from support.scripted_llm import ScriptedLLM

__all__ = ["AGENTS", "FEATURES", "AgentUnderTest"]

FEATURES: Mapping[str, str] = {
    "text": "streamed text",
    "reasoning": "reasoning",
    "allow": "tool allowed",
    "deny": "tool denied",
    "always": "tool always allowed",
    "shows": "a permission shows the command, the file and the change",
    "rules": "a rule that denies a command or a path holds",
    "write": "file written, with a diff",
    "edit": "file edited, with a diff",
    "told-early": "a permission comes after what was said before it, with the call in full",
    "failed-command": "a command that fails has its exit code and its output",
    "silent-command": "a silent command shows nothing",
    "diffs": "a change has its lines, a new file is whole",
    "question": "question to a person",
    "plan": "plan",
    "cancel-text": "cancel while it streams, then another prompt",
    "cancel-tool": "cancel while a tool runs, then another prompt",
    "cancel-permission": "cancel while a permission waits, then another prompt",
    "max-turns": "`max_turns` stops a turn, then another prompt",
    "max-cost": "`max_cost` stops a turn",
    "background": "commands that outlive their turn are tasks",
    "wake-up": "a turn that it begins by itself",
    "queue": "two prompts queued",
    "steer": "something said into a running turn",
    "compact": "compacts its context when asked",
    "fork": "forks with its own memory",
    "rewind": "goes back: forgets by itself",
    "rewind-files": "goes back: puts files back",
    "rename": "takes a title",
    "usage": "tokens of each turn",
    "structured": "an answer of a type",
    "api-errors": "model API 401, 429, 500, dropped: a typed error, then another prompt",
    "huge": "huge answer",
    "resume": "remembers after a restart of the server",
    "side-by-side": "two sessions side by side",
    "directories": "works in directories beside the workspace",
    "mcp": "MCP server of the session",
    "mcp-status": "MCP server that does not start: an event says so",
    "image": "image in a prompt",
    "system-prompt": "system prompt of the session",
    "read-only": "`read-only` holds",
    "bypass": "`bypass` asks nothing",
}
"""In the order of the matrix; the value is what it is called there."""

EnvMaker = Callable[[Path, ScriptedLLM], dict[str, str]]


@dataclass(frozen=True, slots=True)
class AgentUnderTest:
    name: str
    env: EnvMaker
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Feature -> why it is not there. A sentence for the matrix in the docs."""
    remarks: Mapping[str, str] = field(default_factory=dict)
    """Feature -> what is different about it, though it is there."""
    continuity: frozenset[str] = frozenset({"native"})
    """How its memory comes back after a restart."""
    retries: frozenset[str] = frozenset()
    """Failures of the model after which it tries again for minutes."""

    def session_env(self, home: Path, llm: ScriptedLLM) -> dict[str, str]:
        """Of a session: its own home, the scripted model, and a PATH with the agent's program on it."""
        env = self.env(home, llm)
        binary = installed_binary(load_pins()[self.name])
        assert binary is not None, f"{self.name} is not installed"
        return env | {"PATH": f"{binary.parent}:{env['PATH']}"}


def _claude(home: Path, llm: ScriptedLLM) -> dict[str, str]:
    return claude_env(home, llm) | {"CLAUDE_CODE_ENABLE_TODO_TOOLS": "1"}


def _opencode(home: Path, llm: ScriptedLLM) -> dict[str, str]:
    return opencode_env(home, llm) | {"OPENCODE_EXPERIMENTAL_BACKGROUND_SUBAGENTS": "true"}


def _kilo(home: Path, llm: ScriptedLLM) -> dict[str, str]:
    return opencode_env(home, llm, name="kilo")


def _openai(home: Path, llm: ScriptedLLM) -> dict[str, str]:
    return plain_env(home) | {
        "OPENAI_API_KEY": "sk-scripted",
        "OPENAI_BASE_URL": f"{llm.url}/v1",
        "OPENAI_MODEL": "scripted-1",
    }


def _qwen(home: Path, llm: ScriptedLLM) -> dict[str, str]:
    settings = home / ".qwen" / "settings.json"
    if not settings.exists():
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps({"tools": {"todoWrite": {"enabled": True}}}), "utf-8")
    return with_node(_openai(home, llm))


def _copilot(home: Path, llm: ScriptedLLM) -> dict[str, str]:
    return _openai(home, llm) | {"COPILOT_MODEL": "scripted-1"}


def _gemini(home: Path, llm: ScriptedLLM) -> dict[str, str]:
    return with_node(plain_env(home)) | {
        "GEMINI_API_KEY": "gm-0123456789",
        "GOOGLE_GEMINI_BASE_URL": llm.url,
    }


def _grok(home: Path, llm: ScriptedLLM) -> dict[str, str]:
    return plain_env(home) | {
        "XAI_API_KEY": "xai-scripted",
        "GROK_XAI_API_BASE_URL": f"{llm.url}/v1",
    }


def _kimi(home: Path, llm: ScriptedLLM) -> dict[str, str]:
    return with_node(plain_env(home)) | {
        "KIMI_MODEL_NAME": "scripted-1",
        "KIMI_MODEL_API_KEY": "sk-scripted",
        "KIMI_MODEL_BASE_URL": f"{llm.url}/v1",
    }


_NO_QUESTIONS = "It offers its model no tool to ask a person when it is driven over ACP."
_NO_PLAN = "It tells its plan in words only, or keeps none."
_NO_MCP_STATUS = "It tells nothing of its MCP servers over ACP."
_NO_TASKS = "It leaves nothing running that it tells of."
_NO_WAKE_UP = "It does nothing by itself when its turn is over."
_NOTHING_BESIDE = {"background": _NO_TASKS, "wake-up": _NO_WAKE_UP}
_NO_DIRECTORIES = "It works in one directory: a session with others is refused."
_NO_STEER = "It takes nothing into a turn that runs: what is said is a turn of its own afterwards."
_NO_COMPACT = "Its compaction cannot be asked for over ACP."
_COMMAND_ONLY = "It has a command `/compact` of its own, which is not used for it."
_NO_FORK = "It cannot copy a session: a fork is given the transcript."
_NO_REWIND = "It cannot forget by itself: it begins anew with the transcript."
_NO_FILES = "It cannot put files back: the conversation alone goes back."
_NO_TITLE = "It has no titles that can be given to it: the server keeps them."
_NO_COST = "It tells neither tokens nor cost before the end of a turn: a prompt with `max_cost` is refused."
_ONLY_PROMPTS = {
    "steer": _NO_STEER,
    "fork": _NO_FORK,
    "rewind": _NO_REWIND,
    "rewind-files": _NO_FILES,
    "rename": _NO_TITLE,
    "max-cost": _NO_COST,
}
_TRIES_LONG = "After some failures it tries again for minutes; the turn can be cancelled meanwhile."

AGENTS: Mapping[str, AgentUnderTest] = {
    agent.name: agent
    for agent in (
        AgentUnderTest("claude", _claude),
        AgentUnderTest(
            "codex",
            codex_env,
            lacks={
                "wake-up": _NO_WAKE_UP,
                "question": "Its model may ask a person in its plan mode only.",
                "plan": "Codex offers its model no tool for a plan.",
                "rewind-files": _NO_FILES,
            },
        ),
        AgentUnderTest(
            "opencode",
            _opencode,
            lacks={"background": _NO_TASKS},
            remarks={
                "wake-up": "After a sub-agent in the background, which is an experiment of OpenCode's: with "
                "`OPENCODE_EXPERIMENTAL_BACKGROUND_SUBAGENTS=true`."
            },
        ),
        AgentUnderTest(
            "pi",
            pi_env,
            lacks=_NOTHING_BESIDE
            | {
                "rewind-files": _NO_FILES,
                "directories": _NO_DIRECTORIES,
                "question": "It has no tool to ask a person; dialogs of its extensions are questions.",
                "plan": _NO_PLAN,
                "mcp": "It has no MCP client: a session with MCP servers is refused.",
                "mcp-status": "It has no MCP client: a session with MCP servers is refused.",
            },
        ),
        AgentUnderTest(
            "gemini",
            _gemini,
            lacks=_NOTHING_BESIDE
            | _ONLY_PROMPTS
            | {
                "compact": _NO_COMPACT,
                "question": _NO_QUESTIONS,
                "plan": _NO_PLAN,
                "mcp-status": _NO_MCP_STATUS,
            },
            retries=frozenset({"http429", "http500", "drop"}),
            continuity=frozenset({"native", "replayed"}),
            remarks={
                "resume": "It writes its own record late: when the server was killed before that, the "
                "transcript is given back as context.",
                "api-errors": _TRIES_LONG,
            },
        ),
        AgentUnderTest(
            "copilot",
            _copilot,
            lacks=_NOTHING_BESIDE
            | _ONLY_PROMPTS
            | {
                "question": _NO_QUESTIONS,
                "plan": _NO_PLAN,
                "mcp": "It takes MCP servers over HTTP only: a session with a program is refused.",
                "mcp-status": _NO_MCP_STATUS,
            },
        ),
        AgentUnderTest(
            "qwen",
            _qwen,
            lacks={
                "wake-up": "The suite starts no sub-agent of it; after a command in the background it goes on in "
                "a turn of its own.",
                "image": "It keeps images from a model that is named by OPENAI_MODEL.",
                "mcp-status": _NO_MCP_STATUS,
            },
            retries=frozenset({"http429", "http500", "drop"}),
            remarks={
                "compact": "It declines when the summary would be no shorter than what there is.",
                "api-errors": _TRIES_LONG,
                "plan": "With its setting `tools.todoWrite.enabled`, which is off at first.",
            },
        ),
        AgentUnderTest("kilo", _kilo, lacks=_NOTHING_BESIDE),
        AgentUnderTest(
            "grok",
            _grok,
            lacks=_NOTHING_BESIDE
            | _ONLY_PROMPTS
            | {
                "compact": _COMMAND_ONLY,
                "diffs": "It tells what it replaces, and not where in the file.",
                "directories": _NO_DIRECTORIES,
                "question": "It asks by a request of its own, which is refused.",
                "image": "It takes no images.",
                "mcp": "Its model finds tools of MCP servers by a search that the scripted model does not play.",
                "mcp-status": _NO_MCP_STATUS,
            },
            retries=frozenset({"http500", "drop"}),
            remarks={"api-errors": _TRIES_LONG},
        ),
        AgentUnderTest(
            "kimi",
            _kimi,
            lacks=_NOTHING_BESIDE
            | _ONLY_PROMPTS
            | {
                "compact": _COMMAND_ONLY,
                "diffs": "It tells a change when it asks, and no more when it is done.",
                "usage": "It tells no tokens.",
                "fork": "It says that it can, which was not tried.",
                "plan": "Its tool for plans is one that the scripted model does not play.",
                "api-errors": "When its model fails with 429 or 500 for good, it ends the turn and says nothing.",
                "mcp-status": _NO_MCP_STATUS,
            },
        ),
    )
}
