"""The agent interface: whatever runs behind it, it looks like an ACP agent. Frames in, frames out.

Frames are pushed: between the agent's pipe and whoever receives them no task waits for its turn.
An adapter has no seq, no store and no policy: the session that owns it has. It is created for one
session, started once, and closed once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from sandbox_agent_core.agent_options.base import AgentOptions
from sandbox_agent_core.credentials.sources import AgentSources
from sandbox_agent_core.frames.jsonrpc import Frame

__all__ = [
    "TASK_STOP",
    "AgentAbility",
    "AgentAdapter",
    "AgentContext",
    "AgentDefinition",
    "AgentExit",
    "AgentInstallation",
    "Confine",
    "Confined",
    "FrameReceiver",
    "HasLastWords",
    "WireFrame",
]


MEBIBYTE: Final = 1024 * 1024

TASK_STOP: Final = "_sandbox_agent/task.stop"
"""A notification `{sessionId, taskId}` to an agent that has announced this background task
(`frames.extensions.TASK_STARTED`): stop it."""


AgentAbility = Literal["images", "mcp", "questions"]
"""What some agents have and others have not. What depends on nothing but the protocol is not among them."""

Options = TypeVar("Options", bound=AgentOptions)


class WireFrame(NamedTuple):
    """A frame and its bytes as they go into the log, so that nothing is serialised twice."""

    raw: bytes
    """UTF-8 JSON, one line, no newline."""
    frame: Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentExit:
    """How the agent's process ended."""

    exit_code: int | None = None
    """None while unknown, and when a signal ended it."""
    signal: int | None = None
    stderr_tail: str = ""
    """The last lines it wrote to stderr, redacted."""
    is_out_of_memory: bool = False
    """The kernel killed it, because the sandbox had no memory left."""
    memory_limit_bytes: int | None = None
    """How much the sandbox has, where that is known; only of one that is out of memory."""

    @property
    def how(self) -> str:
        """In words that go after `the agent's process`, and say what to do where that is known."""
        if self.is_out_of_memory:
            limit = self.memory_limit_bytes
            has = f", which has {limit / MEBIBYTE:.0f} MB" if limit is not None else ""
            return (
                f"was killed because the sandbox{has}, was out of memory: give it more memory, or run less in it "
                "at once"
            )
        if self.signal is not None:
            return f"was ended by signal {self.signal}"
        return f"exited with code {self.exit_code}" if self.exit_code is not None else "is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confined:
    """A command as it is started inside a confinement."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)


Confine = Callable[[Sequence[str], Path, Mapping[str, str]], Confined]
"""`(argv, cwd, env)` -> the same, confined. Blocks: called in the thread that starts the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentContext:
    """What a session gives its adapter."""

    session_id: str
    cwd: Path
    """Absolute, exists."""
    env: Mapping[str, str] = field(repr=False)
    """The whole environment of the process: what it inherits of the server's, then the configuration's, then the
    session's."""
    command: Sequence[str] | None = None
    """From the configuration, instead of the agent's own launch command."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Adapter settings from `[agents.NAME]` of the configuration."""
    session_options: AgentOptions | None = None
    """What the session asks of this very agent, of the class that its definition names; see `options_as`."""
    additional_directories: Sequence[Path] = ()
    """Beside `cwd`, for agents that are told at launch (`AgentDefinition.directories_at_launch`); others get them with
    the request that opens the session. Absolute, exist."""
    trust_workspace: bool = False
    """Hooks, plugins and MCP programs that the workspace brings along may run. Never what it says of
    permissions: the adapter keeps the agent asking either way."""
    mcp_server_names: Sequence[str] = ()
    """Of the servers that the session brings: they may run whether the workspace is trusted or not."""
    skills: Path | None = None
    """A folder with skills for the session, for agents that `AgentDefinition.takes_skills`: `skills/NAME/SKILL.md`, and
    the manifest of a plug-in around them. It goes with the session."""
    max_line_bytes: int = 32 * 1024 * 1024
    """A longer line from the agent is a protocol violation."""
    stop_grace_s: float = 2.0
    """Seconds between the steps of the stop ladder (EOF, TERM, KILL)."""
    confine: Confine | None = None
    """What the command goes through before it is started, when agents are to be confined. A process that
    did not is refused by `on_process`."""
    on_process: Callable[[int], None] = lambda _pid: None
    """Told the pid (and process group) of everything started, so that a later server can reap it."""

    def options_as(self, model: type[Options]) -> Options:
        """The session's options; those of a session that asks for none are as the model has them."""
        given = self.session_options
        return given if isinstance(given, model) else model()


class FrameReceiver(Protocol):
    """Whoever runs the adapter. Called in the event loop, in order, never by two at once.

    It may call the adapter's `send`, `pause` and `resume` from within, and it never raises.
    """

    def frames(self, batch: list[WireFrame]) -> None:
        """What the agent wrote next; never an empty batch.

        What is no protocol message comes as a `frames.extensions.AGENT_UNPARSED` notification.
        """
        ...

    def ended(self) -> None:
        """The agent is gone. Exactly once, after its last frames; `close` then tells how it ended."""
        ...


class AgentAdapter(Protocol):
    async def start(self, receiver: FrameReceiver) -> None:
        """Launch the agent. Returns when it can take frames; its own may come before that.

        Raises:
            AgentNotInstalled: there is no program to run; the message says how to get it.
            AgentStartFailed: it could not be run, or ended at once.
            WorkspaceNotTrusted: the agent cannot be kept from running what the workspace brings along.
        """
        ...

    def send(self, frame: Frame) -> None:
        """Hand over one client frame: it is written, or queued in order. Never blocks.

        A frame for an agent that is gone is dropped: the receiver was told that it is.
        """
        ...

    def pause(self) -> None:
        """Hold the agent back through its pipe. Frames already under way may still come."""
        ...

    def resume(self) -> None:
        """Let the agent go on. Nothing comes before this returns."""
        ...

    async def close(self) -> AgentExit:
        """Stop the agent and its whole process tree; may be called at any time, any number of times.

        When it returns, an agent that was started has `ended`, also one that was paused.
        """
        ...


@runtime_checkable
class HasLastWords(Protocol):
    """What an adapter over a process may have besides."""

    @property
    def last_words(self) -> str:
        """The end of what the agent has written to stderr so far: the cause, when an error of it tells none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentInstallation:
    """The program found on this machine."""

    path: str
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDefinition:
    """One agent of the catalogue. The entry-point group `sandbox_agent.agents` holds these."""

    name: str
    title: str
    create: Callable[[AgentContext], AgentAdapter]
    find: Callable[[Mapping[str, str]], AgentInstallation | None]
    """Given an environment (PATH), find the program. None when it is not installed."""
    install_hint: str
    """A sentence for a person: what to run to get it."""
    login_hint: str = ""
    """A sentence for a person whom the agent refuses for want of credentials: which variable, which command."""
    env_names: Sequence[str] = ()
    """Variables that are this agent's own (its API keys, base URLs): it gets them also where `inherit_env` keeps the
    rest of the server's environment from it."""
    command: Sequence[str] | None = None
    """The default launch command, for agents that are one."""
    speaks_acp: bool = False
    """Its program speaks ACP itself, so that a request of ACP reaches it as it is."""
    takes_system_prompt: bool = False
    """It adds `_meta.systemPrompt` of `session/new` to its own. To others it is said before the first prompt."""
    mcp_transports: Sequence[str] = ("stdio", "http", "sse")
    """Of the MCP servers that it takes. A session with another is refused: one that silently lacks its
    tools would be worse than none."""
    permission_modes: Mapping[str, str] = field(default_factory=dict)
    """Common permission mode (`ask`, `accept-edits`, `read-only`, `plan`, `bypass`) -> the agent's own
    mode id. The session's policy enforces a mode that is not here, or that the agent does not offer."""
    lacks: Sequence[AgentAbility] = ()
    """What a user interface should not offer with it, as far as that is known before it runs."""
    base_url_env: Mapping[str, str] = field(default_factory=dict)
    """LLM provider (`anthropic`, `openai`, `google`) -> the variable in which the adapter takes its base
    URL. The first is the agent's main provider."""
    session_options: type[AgentOptions] | None = None
    """What sessions may ask of it (`agentOptions`). None: nothing."""
    directories_at_launch: bool = False
    """It gets `additionalDirectories` of a session from its adapter's command line or files. Others have to announce
    `sessionCapabilities.additionalDirectories`, or a session with some is refused."""
    takes_skills: bool = False
    """Its adapter gives it `AgentContext.skills`. To others, skills are told of before the first prompt."""
    needs_credentials: bool = True
    """False: it works without any."""
    credentials: AgentSources | None = None
    """Where its keys and logins are. None: where `sandbox_agent_core.credentials` says for an agent of
    this name, which it does for those that are built in."""
