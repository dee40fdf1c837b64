"""How an agent that is a command is started for one session, beside its command."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sandbox_agent_core.agent_options import AgentOptions
from sandbox_agent_core.frames import Frame, acp
from sandbox_agent_core.lenient import as_dict, as_list
from sandbox_agent_core.spi.agent import AgentContext

from sandbox_agent_server.agents.private_file import PrivateFile

__all__ = ["Launch", "Prepare", "option_flags"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    arguments: Sequence[str] = ()
    """Behind the command, also one from the configuration."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Over that of the session."""
    modes: Mapping[str, str] = field(default_factory=dict)
    """A mode that the agent would refuse -> the one that it is put into instead."""
    preface: str | None = None
    """Told to the agent before the first prompt."""
    files: Sequence[PrivateFile] = ()
    """What the arguments or variables name. They go when the agent goes."""

    def to_agent(self, frame: Frame) -> Frame:
        """What the agent is told in place of `frame`."""
        params = as_dict(frame.get("params"))
        if frame.get("method") == acp.SESSION_SET_MODE and params.get("modeId") in self.modes:
            return {**frame, "params": {**params, "modeId": self.modes[params["modeId"]]}}
        if frame.get("method") == acp.SESSION_PROMPT and self.preface is not None:
            prompt = [{"type": "text", "text": self.preface}, *as_list(params.get("prompt"))]
            return {**frame, "params": {**params, "prompt": prompt}}
        return frame


Prepare = Callable[[AgentContext], Launch]
"""Looks at the workspace. Raises: WorkspaceNotTrusted."""


def option_flags(options: AgentOptions | None, flags: Mapping[str, str]) -> list[str]:
    """Of the options that were given; `flags` are by field. Each one word: what starts with a dash must not become an
    option of its own."""
    words: list[str] = []
    for field_name, flag in flags.items():
        value = getattr(options, field_name, None)
        if value is True:
            words.append(flag)
        elif isinstance(value, tuple):
            words += [f"{flag}={item}" for item in value]
        elif value is not None and value is not False:
            words.append(f"{flag}={value}")
    return words
