"""Brings a session's agent up, gives it its memory and settings back, and lets go of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox_agent_core.errors import Timeout, Unavailable
from sandbox_agent_core.frames import Frame, extensions
from sandbox_agent_core.frames.jsonrpc import request
from sandbox_agent_core.spi.agent import AgentAdapter

from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.agent_run import AgentRun, OnBatch, OnGone
from sandbox_agent_server.sessions.context import instructions_text, replay_text
from sandbox_agent_server.sessions.controls import Call, Controls
from sandbox_agent_server.sessions.feed import SessionLog
from sandbox_agent_server.sessions.journal import Journal
from sandbox_agent_server.sessions.launch import Handshake, Opened
from sandbox_agent_server.sessions.redaction import Redaction
from sandbox_agent_server.sessions.stamping import Stamper
from sandbox_agent_server.settings import Limits
from sandbox_agent_server.store import Draft, SessionRow

__all__ = ["AgentHost", "MakeAdapter", "SessionSecrets"]


@dataclass(slots=True, repr=False)
class SessionSecrets:
    """What a session was given and the disk never sees. Gone after a server restart."""

    env: dict[str, str] = field(default_factory=dict)
    mcp_servers: list[dict[str, Any]] = field(default_factory=list)

    def renewed(self, given: SessionSecrets) -> SessionSecrets:
        """With what is given laid over it: variables one by one, MCP servers as a whole."""
        return SessionSecrets(self.env | given.env, given.mcp_servers or self.mcp_servers)


MakeAdapter = Callable[[SessionRow, SessionSecrets], AgentAdapter]


class AgentHost:
    def __init__(
        self,
        row: SessionRow,
        log: SessionLog,
        journal: Journal,
        stamper: Stamper,
        controls: Controls,
        secrets: SessionSecrets,
        limits: Limits,
        *,
        make_adapter: MakeAdapter,
        version: str,
        login_hint: str,
        takes_system_prompt: bool,
        on_batch: OnBatch,
        on_gone: OnGone,
    ) -> None:
        self.secrets = secrets
        self._row = row
        self._log = log
        self._stamper = stamper
        self._controls = controls
        self._limits = limits
        self._make_adapter = make_adapter
        self._version = version
        self._login_hint = login_hint
        self._takes_system_prompt = takes_system_prompt
        self._journal = journal
        self._on_batch = on_batch
        self._on_gone = on_gone
        self._run: AgentRun | None = None
        self._starting: asyncio.Task[None] | None = None
        self._tasks = TaskOwner(row.id)

    @property
    def is_running(self) -> bool:
        return self._run is not None and not self._run.is_gone

    @property
    def is_starting(self) -> bool:
        return self._starting is not None

    @property
    def is_ready(self) -> bool:
        """It takes prompts."""
        return self.is_running and not self.is_starting

    async def start(self) -> None:
        """Bring the agent up, once for however many callers; one that is ready is left alone.

        Raises:
            AgentNotInstalled, AgentStartFailed, AgentAuthRequired, AgentError, AgentProcessExited, Timeout,
            ModeNotSupported, ValueNotSupported: the agent is not running then.
        """
        if self.is_ready:
            return
        if self._starting is None:
            self._starting = self._tasks.spawn(self._open(), name="start")
        task = self._starting
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise Unavailable("the session was stopped while its agent started") from None
            raise

    async def stop(self) -> None:
        """Stop the agent and its process tree; its end is in the log afterwards."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._run is not None:
            await self._run.stop()
            self._run = None

    def kill_soon(self) -> None:
        if self._run is not None:
            self._run.kill_soon()

    def post(self, frame: Frame) -> None:
        """Send a frame that was logged already; dropped when the agent is gone."""
        if self._run is not None:
            self._run.post(frame)

    def resolve(self, id: Any, frame: Frame) -> None:
        if self._run is not None:
            self._run.resolve(id, frame)

    async def apply(self, call: Call) -> None:
        """Set something. A dormant agent is set when it resumes. Raises: AgentError, AgentProcessExited."""
        if self._run is not None and self.is_running:
            method, params, annotations = call
            params = {"sessionId": self._row.state.get("agentSessionId"), **params}
            await self._ask(self._run, method, params, annotations=annotations)

    async def set_mode(self, mode: str) -> None:
        """Raises: ModeNotSupported, and what `apply` raises."""
        change = self._controls.change_mode(mode)
        if change.call is not None:
            await self.apply(change.call)
        if change.permission_mode == self._controls.permission_mode:
            return
        self._controls.permission_mode = change.permission_mode
        if change.permission_mode is not None:
            params: dict[str, Any] = {"mode": change.permission_mode}
            if change.native is not None:
                params["modeId"] = change.native
            self._journal.append([self._stamper.fact(extensions.PERMISSION_MODE_CHANGED, params)])

    async def _open(self) -> None:
        run = AgentRun(
            self._row.id,
            self._make_adapter(self._row, self.secrets),
            Redaction(self.secrets.env, self.secrets.mcp_servers),
            on_batch=self._on_batch,
            on_gone=self._on_gone,
        )
        try:
            await run.start()
            self._run = run
            async with asyncio.timeout(self._limits.agent_start_timeout_s):
                await self._introduce(run)
        except TimeoutError:
            await run.stop()
            raise Timeout(
                f"agent {self._row.agent!r} was not ready after "
                f"{self._limits.agent_start_timeout_s:g} s",
                limit="agent_start_timeout_s",
            ) from None
        except BaseException:
            if self._run is run:
                await run.stop()
            raise
        finally:
            self._starting = None

    async def _introduce(self, run: AgentRun) -> None:
        state = self._row.state
        earlier_id = state.get("agentSessionId")
        opened = await self._handshake(run).open(earlier_id)
        state["agentSessionId"] = opened.agent_session_id
        state["agentInfo"] = opened.agent_info
        state["capabilities"] = opened.capabilities
        self._controls.read_session(opened.session)
        await self._apply_settings()
        version = (opened.agent_info or {}).get("version")
        fact = {"version": version} if isinstance(version, str) else {}
        entries = [self._stamper.fact(extensions.AGENT_STARTED, fact)]
        if earlier_id is None:
            state["continuity"] = "fresh"
        else:
            entries.append(await self._resumed(opened))
        if not opened.is_native and (instructions := self._instructions()) is not None:
            context = (instructions, state.get("context"))
            state["context"] = "\n\n".join(filter(None, context))
        self._journal.append(entries, save_row=True)

    def _handshake(self, run: AgentRun) -> Handshake:
        async def ask(method: str, params: dict[str, Any], logged: dict[str, Any] | None) -> Any:
            return await self._ask(run, method, params, logged=logged)

        def set_replaying(on: bool) -> None:
            self._stamper.is_replaying = on

        settings = self._row.settings
        return Handshake(
            ask,
            cwd=settings["cwd"],
            mcp_servers=self.secrets.mcp_servers,
            meta=self._session_meta(),
            client_version=self._version,
            login_hint=self._login_hint,
            on_replay=set_replaying,
        )

    def _instructions(self) -> str | None:
        """The system prompt, when the agent does not take it with the opening of its session."""
        system_prompt = self._row.settings.get("systemPrompt")
        if self._takes_system_prompt or not system_prompt:
            return None
        return instructions_text(system_prompt)

    def _session_meta(self) -> dict[str, Any]:
        """What ACP has no field for, and the adapters of ours understand."""
        settings = self._row.settings
        meta = {"systemPrompt": settings.get("systemPrompt")}
        is_gateway = settings.get("baseUrl") or any(
            name.endswith("_BASE_URL") for name in self.secrets.env
        )
        if is_gateway:
            # A gateway has models that the agent has never heard of, and so does not offer.
            meta["model"] = settings.get("model")
        return {name: value for name, value in meta.items() if value}

    async def _resumed(self, opened: Opened) -> Draft:
        state = self._row.state
        continuity = "native"
        if not opened.is_native:
            # What another sandbox knew comes first; this one's log does not have it.
            parts = (self._row.settings.get("context"), await replay_text(self._log, self._row.id))
            state["context"] = "\n\n".join(filter(None, parts)) or None
            continuity = "replayed" if state["context"] else "lost"
        state["continuity"] = continuity
        params = {"continuity": continuity, "agentSessionId": opened.agent_session_id}
        if opened.why_not_native is not None:
            params["reason"] = opened.why_not_native
        return self._stamper.fact(extensions.SESSION_RESUMED, params)

    async def _apply_settings(self) -> None:
        """What the session was created or patched with, again after every start."""
        settings = self._row.settings
        if settings.get("mode") is not None:
            await self.set_mode(settings["mode"])
        for key in ("model", "thoughtLevel"):
            # A model that came with the opening of the session is set, whether it is offered or not.
            if settings.get(key) is not None and (key, settings[key]) != (
                "model",
                self._controls.model,
            ):
                await self.apply(self._controls.setter(key)(settings[key]))
        for option_id, value in (settings.get("configOptions") or {}).items():
            await self.apply(self._controls.set_option(option_id, value))

    async def _ask(
        self,
        run: AgentRun,
        method: str,
        params: dict[str, Any],
        *,
        logged: Mapping[str, Any] | None = None,
        annotations: dict[str, Any] | None = None,
    ) -> Any:
        # The id is the seq of its entry, so it is never used twice in a session's life.
        frame = request(self._log.next_seq, method, params)
        shown = frame if logged is None else {**frame, "params": dict(logged)}
        self._journal.append([self._stamper.client_frame(shown, expect=annotations)])
        answer = run.expect(frame["id"])
        run.post(frame)
        return await answer
