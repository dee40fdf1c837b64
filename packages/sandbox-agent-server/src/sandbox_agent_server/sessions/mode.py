"""The mode of a session: chosen by a person, announced by the agent, and set back where the agent loosens it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_core.frames import extensions

from sandbox_agent_server.agents.runner.config_options import (
    NATIVE,
    ConfigOptions,
    ModeChange,
    Setting,
)
from sandbox_agent_server.runtime.tasks import TaskOwner
from sandbox_agent_server.sessions.conversation import Conversation
from sandbox_agent_server.sessions.fold import SessionStep

__all__ = ["MAX_SET_BACK", "SessionMode"]

logger = logging.getLogger(__name__)

MAX_SET_BACK: Final = 8
"""How often an agent is put back into the mode that a person chose, before it is left where it insists to be:
what it asks for is judged by the chosen mode all the same."""


class SessionMode:
    def __init__(
        self,
        conversation: Conversation,
        apply: Callable[[Setting], Awaitable[None]],
        tasks: TaskOwner,
    ) -> None:
        """`apply` sets something of the agent, and does nothing while it does not run."""
        self._conversation = conversation
        self._apply = apply
        self._tasks = tasks
        self._has_begun = False
        self._is_changing = False
        self._set_back = 0

    @property
    def _options(self) -> ConfigOptions:
        return self._conversation.state.options

    async def choose(self, mode: str) -> None:
        """A person chose it. Raises: ModeNotSupported, and what setting something raises."""
        await self._change(self._to(mode), is_said=True)
        self._set_back = 0

    async def policy_changed(self) -> None:
        """Raises: as `choose`."""
        if self._options.chosen == "bypass":
            await self._change(self._to("bypass"))

    def _to(self, mode: str) -> ModeChange:
        rules = self._conversation.state.settings.permission_policy.rules
        return self._options.change_mode(
            mode, keeps_asking=any(rule.action != "allow" for rule in rules)
        )

    async def choose_option(self, option_id: str, value: str | bool) -> None:
        """The agent's option that is its mode. Raises: ValueNotSupported, and as `choose`."""
        setting = self._options.set_option(option_id, value)
        change = self._options.change_mode(f"{NATIVE}{value}")
        await self._change(change._replace(setting=setting), is_said=True)

    async def begin(self, chosen: str | None) -> None:
        """After every start of the agent, whatever mode it opens in: the one that was chosen, else one that asks."""
        if chosen is not None:
            await self._change(self._to(chosen))
        elif not self._options.can_ask:
            self._say(
                None, self._options.mode, by="server", reason="it has no mode that is known to ask"
            )
        elif not self._options.is_asking:
            mode = self._options.mode
            await self._change(
                self._options.change_mode("ask"), by="server", reason=f"it opened in {mode!r}"
            )
        self._has_begun = True

    def announced(self, step: SessionStep, before: ConfigOptions) -> None:
        """The agent said in this step in which mode it is."""
        now = step.state.options
        if self._is_changing or not self._has_begun:
            return  # it tells of what it is being set to
        if now.permission_mode != before.permission_mode:
            data = _data(now.permission_mode, now.mode, by="agent")
            self._conversation.stamper.server_entry(step, extensions.PERMISSION_MODE_CHANGED, data)
        if now.is_loosened and self._set_back <= MAX_SET_BACK:
            step.after_commit(self._change_back_soon)

    def _change_back_soon(self) -> None:
        self._tasks.spawn(self._change_back(), name="mode")

    async def _change_back(self) -> None:
        options = self._options
        if self._is_changing or not options.is_loosened:
            return
        self._set_back += 1
        reason = f"it went into {options.mode!r} by itself"
        change = options.change_back()
        if change.setting is None or self._set_back > MAX_SET_BACK:
            self._say(
                change.permission_mode,
                options.mode,
                by="server",
                reason=f"{reason}, and stays there",
            )
            return
        try:
            await self._change(change, by="server", reason=reason)
        except SandboxAgentError as exc:
            logger.warning("session %s: %s", self._conversation.log.session_id, exc.message)
        if self._options.is_loosened:
            await self._change_back()

    async def _change(self, change: ModeChange, *, is_said: bool = False, **why: str) -> None:
        """`is_said`: also when it was so before."""
        before = self._options
        self._is_changing = True
        try:
            if change.setting is not None:
                await self._apply(change.setting)
        except SandboxAgentError:
            now = self._options
            if now.permission_mode != before.permission_mode:
                self._say(now.permission_mode, now.mode, by="agent")
            raise
        finally:
            self._is_changing = False
        was = (before.permission_mode, before.chosen, before.chosen_native)
        if is_said or why or was != (change.permission_mode, *change[1:]):
            self._say(change.permission_mode, change.native, **why)

    def _say(self, permission_mode: str | None, native: str | None, **why: str) -> None:
        data = _data(permission_mode, native, **why)
        self._conversation.state_entries((extensions.PERMISSION_MODE_CHANGED, data))


def _data(permission_mode: str | None, native: str | None, **why: str) -> dict[str, Any]:
    data: dict[str, Any] = {"permissionMode": permission_mode}
    return data | ({"modeId": native} if native is not None else {}) | why
