"""The server program behind a session: found, started, heard of where it listens, and stopped."""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbox_agent_core.agent_options import OpenCodeOptions
from sandbox_agent_core.errors import AgentStartFailed
from sandbox_agent_core.spi.agent import AgentContext, AgentExit, AgentInstallation

from sandbox_agent_server.agents.installation import find_program, installed_version
from sandbox_agent_server.agents.link import AgentLink
from sandbox_agent_server.agents.opencode.config import NO_OPTIONS, config_content
from sandbox_agent_server.agents.opencode.variant import Variant
from sandbox_agent_server.agents.opencode.workspace import memory_files
from sandbox_agent_server.runtime.http_peer import HttpPeer

__all__ = ["START_TIMEOUT_S", "OpenCodeServer", "env_names", "environment", "find"]

START_TIMEOUT_S: Final = 60.0
"""Until it says where it listens. The option `start_timeout_s` of the agent changes it."""
_USER: Final = "sandbox-agent"
_LISTENING: Final = re.compile(rb"listening on (http://127\.0\.0\.1:\d+)")
_PASSWORD_BYTES: Final = 24
_UNPACKS_INTO: Final = "BUN_TMPDIR"
"""Where the program puts the libraries that it carries: a file of 5 MB at each start, which it never removes."""
# Not all of PREFIX_*: a server that was itself started by the agent has its own password there.
_OWN_NAMES: Final = (
    "API_KEY", "CONFIG", "CONFIG_CONTENT", "CONFIG_DIR", "DISABLE_*", "ENABLE_*", "EXPERIMENTAL_*",
)  # fmt: skip
_PROVIDER_NAMES: Final = (
    "ANTHROPIC_*", "AWS_*", "AZURE_*", "CEREBRAS_API_KEY", "DEEPSEEK_API_KEY", "GEMINI_API_KEY",
    "GOOGLE_*", "GROQ_API_KEY", "MISTRAL_API_KEY", "OPENAI_*", "OPENROUTER_API_KEY", "XAI_API_KEY",
    "ZAI_API_KEY",
)  # fmt: skip


def env_names(variant: Variant) -> tuple[str, ...]:
    return (*(variant.prefix + name for name in _OWN_NAMES), *_PROVIDER_NAMES)


def find(variant: Variant, env: Mapping[str, str]) -> AgentInstallation | None:
    name = variant.name
    found = find_program(name, env, at_home=[f".{name}/bin/{name}"])
    if found is None:
        return None
    return AgentInstallation(path=found.path, version=installed_version(found.path))


def environment(
    variant: Variant,
    env: Mapping[str, str],
    *,
    password: str,
    unread_workspace: Path | None = None,
    options: OpenCodeOptions = NO_OPTIONS,
    skills: Path | None = None,
) -> dict[str, str]:
    """The environment of the process: what the session gave, and what running here takes.

    `unread_workspace`: whose settings are not to be read, and so neither is its memory by itself.
    """
    prefix = variant.prefix
    quiet = {
        # A program that replaces itself, or fetches parts of itself, during a session is nobody's wish.
        f"{prefix}DISABLE_AUTOUPDATE": "1",
        f"{prefix}DISABLE_LSP_DOWNLOAD": "1",
        f"{prefix}DISABLE_MODELS_FETCH": "1",
    }
    ours = {
        f"{prefix}CONFIG_CONTENT": config_content(
            variant,
            env,
            instructions=memory_files(unread_workspace) if unread_workspace else (),
            options=options,
            skills=skills,
        ),
        f"{prefix}SERVER_USERNAME": _USER,
        f"{prefix}SERVER_PASSWORD": password,
    }
    if unread_workspace is not None:
        ours[f"{prefix}DISABLE_PROJECT_CONFIG"] = "1"
    return {**quiet, **env, **ours}


class OpenCodeServer:
    """Started once. `on_end` is called when it ends by itself or by `close`, once it has listened."""

    def __init__(
        self,
        context: AgentContext,
        variant: Variant,
        command: Sequence[str],
        *,
        on_end: Callable[[], None],
        is_workspace_read: bool = True,
    ) -> None:
        self._variant = variant
        self._password = secrets.token_urlsafe(_PASSWORD_BYTES)
        self._on_end = on_end
        self._url = ""
        self._has_spoken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """It says where it listens, or its last."""
        given = context.options.get("start_timeout_s")
        self._timeout_s = float(given) if isinstance(given, (int, float)) else START_TIMEOUT_S
        env = environment(
            variant,
            context.env,
            password=self._password,
            unread_workspace=None if is_workspace_read else context.cwd,
            options=context.options_as(OpenCodeOptions),
            skills=context.skills,
        )
        # One that is confined has a directory of its own for temporary files, which ends with it.
        self._unpacked = None if context.confine else _directory_for_unpacking(env)
        if self._unpacked is not None:
            env[_UNPACKS_INTO] = str(self._unpacked)
        self._link = AgentLink(
            # Port 0 takes the usual port when it is free, and any other when it is not.
            [*command, "serve", "--hostname", "127.0.0.1", "--port", "0"],
            cwd=context.cwd,
            env=env,
            on_lines=self._on_lines,
            on_end=self._on_exit,
            max_line_bytes=context.max_line_bytes,
            stop_grace_s=context.stop_grace_s,
            confine=context.confine,
            on_process=context.on_process,
        )

    def peer(self, directory: Path) -> HttpPeer:
        """Its API, for a workspace."""
        query = {"directory": str(directory)}
        return HttpPeer(self._url, user=_USER, password=self._password, query=query)

    async def start(self) -> None:
        """Returns when it listens. Raises: AgentNotInstalled, AgentStartFailed."""
        try:
            await self._link.start()
        except BaseException:
            self._remove_unpacked()
            raise
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._has_spoken
        except TimeoutError:
            raise await self._failed(f"it did not listen within {self._timeout_s:g} s") from None
        if not self._url:
            raise await self._failed("it ended at once")

    async def close(self) -> AgentExit:
        # It does not watch its standard input.
        try:
            return await self._link.terminate()
        finally:
            self._remove_unpacked()

    def _on_lines(self, lines: list[bytes]) -> None:
        """What it prints later is of no use, but must not fill its pipe."""
        for line in lines:
            if not self._has_spoken.done() and (match := _LISTENING.search(line)):
                self._url = match.group(1).decode("ascii")
                self._has_spoken.set_result(None)

    def _on_exit(self) -> None:
        if self._url:
            self._on_end()
        elif not self._has_spoken.done():
            self._has_spoken.set_result(None)

    async def _failed(self, how: str) -> AgentStartFailed:
        ended = await self.close()
        tail = ended.stderr_tail.strip()
        last = f": {tail.splitlines()[-1]}" if tail else ""
        if ended.is_out_of_memory:
            how, last = f"it {ended.how}", ""
        return AgentStartFailed(
            f"{self._variant.title} could not be started: {how}{last}",
            exitCode=ended.exit_code,
            signal=ended.signal,
            stderrTail=tail or None,
        )

    def _remove_unpacked(self) -> None:
        if self._unpacked is not None:
            shutil.rmtree(self._unpacked, ignore_errors=True)


def _directory_for_unpacking(env: Mapping[str, str]) -> Path | None:
    """None: it is said where, or there is no room for one."""
    if _UNPACKS_INTO in env:
        return None
    try:
        return Path(tempfile.mkdtemp(prefix="sandbox-agent-", dir=env.get("TMPDIR") or None))
    except OSError:
        return None
