"""Starts an agent for a session and gives it its memory back: the ladder native -> replayed -> lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox_agent_core.errors import AgentAuthRequired, AgentError, AgentProcessExited
from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.jsonrpc import METHOD_NOT_FOUND
from sandbox_agent_core.lenient import as_dict, as_str, dicts_in

from sandbox_agent_server.agents.runner.mcp_secrets import redact_servers

__all__ = ["Adopted", "Continuity", "ForkPoint", "Handshake", "Introduction", "Opened"]

Continuity = Literal["fresh", "native", "replayed", "lost"]
Ask = Callable[[str, dict[str, Any], dict[str, Any] | None], Awaitable[Any]]
"""`(method, params, params as they may be logged)` -> result. Raises AgentError."""

_NO_META: Mapping[str, Any] = {}
_LOGIN_HINT = (
    "Set its API key in the environment of the server or of the session (`env`), or log in with the "
    "agent's own program."
)
_CLIENT_CAPABILITIES: dict[str, Any] = {
    # The agent runs where its files are: it reads and writes them itself.
    "fs": {"readTextFile": False, "writeTextFile": False},
    "terminal": False,
    "elicitation": {"form": {}},
    "session": {"configOptions": {"boolean": {}}},
}


@dataclass(frozen=True, slots=True)
class ForkPoint:
    """Of which session of the agent its new one is a copy, and how far."""

    agent_session_id: str
    before_prompt: int | None = None
    """The first of its prompts, from 0, that the copy does not have; None: it has all."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A session of the agent that is no session of ours yet."""

    agent_session_id: str
    with_history: bool = False
    """The agent is to tell what was said in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """In whose name an agent is opened, when that is an ACP client."""

    hello: Mapping[str, Any] | None = None
    """Params of its `initialize`."""
    authenticated: Sequence[Mapping[str, Any]] = ()
    """Params of its `authenticate`, which every process of the agent is told."""
    opening: Mapping[str, Any] = field(default_factory=dict)
    """Params of its `session/new` and the like, but for what the session is made of."""


@dataclass(frozen=True, slots=True)
class Opened:
    agent_session_id: str | None
    agent_info: dict[str, Any] | None
    capabilities: dict[str, Any]
    session: Any
    """Result of the request that opened it: modes, models, options."""
    is_native: bool
    """The agent remembers the earlier conversation by itself."""
    why_not_native: str | None = None


class Handshake:
    def __init__(
        self,
        ask: Ask,
        *,
        cwd: str,
        mcp_servers: list[dict[str, Any]],
        meta: Mapping[str, Any],
        directories: Sequence[str] = (),
        check: Callable[[Mapping[str, Any]], None] = lambda _capabilities: None,
        client_version: str,
        login_hint: str = "",
        on_replay: Callable[[bool], None] = lambda _on: None,
        introduction: Introduction | None = None,
    ) -> None:
        """`directories`: beside `cwd`. `check` raises when what the agent says it can do is not enough."""
        self._ask = ask
        self._cwd = cwd
        self._servers = mcp_servers
        self._meta = dict(meta)
        self._directories = list(directories)
        self._check = check
        self._client_version = client_version
        self._login_hint = login_hint
        self._on_replay = on_replay
        self._introduction = introduction or Introduction()

    async def open(
        self,
        earlier_id: str | None,
        fork: ForkPoint | None = None,
        adopted: Adopted | None = None,
    ) -> Opened:
        """Initialise, then bring the earlier session back, or make a new one: a fork, when it is to be one, or one
        that the agent has already, and no other.

        Raises:
            AgentAuthRequired: the agent has no credentials.
            AgentError: it refused. AgentProcessExited: it ended.
        """
        params = self._introduction.hello or {
            "protocolVersion": acp.PROTOCOL_VERSION,
            "clientCapabilities": _CLIENT_CAPABILITIES,
            "clientInfo": {
                "name": "sandbox-agent",
                "title": "sandbox-agent",
                "version": self._client_version,
            },
        }
        hello = as_dict(await self._ask(acp.INITIALIZE, dict(params), None))
        info = as_dict(hello.get("agentInfo")) or None
        capabilities = as_dict(hello.get("agentCapabilities"))
        self._check(capabilities)
        for given in self._introduction.authenticated:
            await self._ask(acp.AUTHENTICATE, dict(given), None)
        why: str | None = None
        native_id: str | None
        if earlier_id is not None:
            try:
                session = await self._bring_back(earlier_id, capabilities)
                return Opened(earlier_id, info, capabilities, session, is_native=True)
            except AgentProcessExited:
                raise
            except (AgentError, AgentAuthRequired) as exc:
                why = exc.message
        elif adopted is not None:
            session = await self._adopt(adopted, capabilities)
            native_id = adopted.agent_session_id
            return Opened(native_id, info, capabilities, session, is_native=True)
        elif fork is not None:
            session = await self._fork(fork)
            return Opened(session["sessionId"], info, capabilities, session, is_native=True)
        session = await self._new(hello)
        native_id = as_str(as_dict(session).get("sessionId"))
        return Opened(native_id, info, capabilities, session, is_native=False, why_not_native=why)

    async def _new(self, hello: Mapping[str, Any]) -> Any:
        try:
            return await self._ask_for_session(acp.SESSION_NEW, {})
        except AgentAuthRequired as exc:
            names = [
                str(method.get("name") or method.get("id"))
                for method in dicts_in(hello.get("authMethods"))
            ]
            raise AgentAuthRequired(
                f"the agent has no credentials: {exc.message.rstrip('.')}. {self._login_hint or _LOGIN_HINT}"
                + (f" It knows: {', '.join(names)}." if names else ""),
                authMethods=names or None,
            ) from exc

    async def _bring_back(self, earlier_id: str, capabilities: Mapping[str, Any]) -> Any:
        """Prefers `session/resume`, which does not repeat the history, over `session/load`, which does."""
        if as_dict(capabilities.get("sessionCapabilities")).get("resume") is not None:
            try:
                return await self._ask_for_session(acp.SESSION_RESUME, {"sessionId": earlier_id})
            except AgentError as exc:
                # Qwen announces it and does not know it.
                if exc.details.get("agentCode") != METHOD_NOT_FOUND:
                    raise
        if not capabilities.get("loadSession"):
            raise AgentError("the agent cannot load earlier sessions")
        self._on_replay(True)
        try:
            return await self._ask_for_session(acp.SESSION_LOAD, {"sessionId": earlier_id})
        finally:
            self._on_replay(False)

    async def _adopt(self, adopted: Adopted, capabilities: Mapping[str, Any]) -> Any:
        """What is told of it is new to the log."""
        params = {"sessionId": adopted.agent_session_id}
        can_resume = as_dict(capabilities.get("sessionCapabilities")).get("resume") is not None
        is_loaded = adopted.with_history or not can_resume
        method = acp.SESSION_LOAD if is_loaded else acp.SESSION_RESUME
        return await self._ask_for_session(method, params)

    async def _fork(self, fork: ForkPoint) -> dict[str, Any]:
        """Raises: AgentError, also when it says of no session which it is."""
        point = {} if fork.before_prompt is None else {"beforePrompt": fork.before_prompt}
        params = {"sessionId": fork.agent_session_id}
        session = as_dict(await self._ask_for_session(acp.SESSION_FORK, params, point))
        if as_str(session.get("sessionId")) is None:
            raise AgentError("the agent did not say which session the fork is")
        return session

    async def _ask_for_session(
        self, method: str, params: dict[str, Any], more_meta: Mapping[str, Any] = _NO_META
    ) -> Any:
        given = self._introduction.opening
        params = {**given, **params, "cwd": self._cwd, "mcpServers": self._servers}
        if self._directories:
            params["additionalDirectories"] = self._directories
        if meta := {**as_dict(given.get("_meta")), **self._meta, **more_meta}:
            params["_meta"] = meta
        logged = {**params, "mcpServers": redact_servers(self._servers)}
        return await self._ask(method, params, logged)
