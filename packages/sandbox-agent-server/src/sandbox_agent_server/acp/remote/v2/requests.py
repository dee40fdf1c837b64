"""What a client of version 2 asks of sessions beside prompts, where that is not what version 1 asks."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.frames import acp
from sandbox_agent_core.lenient import as_dict, as_str, dicts_in

from sandbox_agent_server.acp.remote.opened import session_id_of
from sandbox_agent_server.acp.remote.refusals import RpcError
from sandbox_agent_server.acp.remote.requests import Handler, SessionRequests
from sandbox_agent_server.acp.remote.v2.options import MODE, MODEL, config_options, is_own
from sandbox_agent_server.acp.remote.vocabulary import SESSION_CLOSE, SESSION_DELETE, SESSION_LIST

__all__ = ["DraftRequests"]

_TRANSPORTS: Final = ("stdio", "http")
_VALUES: Final[dict[str, type]] = {"id": str, "boolean": bool}


class DraftRequests(SessionRequests):
    def _own_methods(self) -> dict[str, Handler]:
        return {
            acp.SESSION_NEW: self._new,
            acp.SESSION_RESUME: self._resume,
            SESSION_LIST: self._list,
            SESSION_CLOSE: self._close,
            SESSION_DELETE: self._delete,
            acp.SESSION_SET_CONFIG_OPTION: self._set_config_option,
            "auth/login": self._authenticate,
            "tool_call/cancel": self._cancel_tool_call,
            "terminal/cancel": self._cancel_terminal,
        }

    async def _new(self, params: dict[str, Any]) -> dict[str, Any]:
        return await super()._new(_with_servers(params))

    async def _resume(self, params: dict[str, Any]) -> dict[str, Any]:
        start = params.get("replayFrom")
        if start is not None and as_dict(start).get("type") != "start":
            raise InvalidRequest('`replayFrom` is `{"type": "start"}`, or is left out')
        params = _with_servers(params)
        if start is None:
            return await super()._resume(params)
        return await super()._load(params)

    async def _close(self, params: dict[str, Any]) -> dict[str, Any]:
        closed = await super()._close(params)
        await self._attached.let_go(session_id_of(params))
        return closed

    async def _set_config_option(self, params: dict[str, Any]) -> dict[str, Any]:
        session_id, option = session_id_of(params), as_str(params.get("configId"))
        kind, value = str(params.get("type")), params.get("value")
        wanted = _VALUES.get(kind)
        if wanted is None or not isinstance(value, wanted):
            raise InvalidRequest(
                "`type` and `value` do not fit: `id` has a text, `boolean` true or false"
            )
        with self._manager.session(session_id) as session:
            offered = {item["configId"]: item for item in config_options(session.state.options)}
            if option is None or option not in offered:
                raise InvalidRequest(
                    f"there is no option {str(option)[:64]!r}; there are: {', '.join(offered) or 'none'}"
                )
            if isinstance(value, bool) != (offered[option].get("type") == "boolean"):
                raise InvalidRequest(f"the option {option!r} takes no value of the type {kind!r}")
            if option in (MODE, MODEL) and not is_own(session.state.options, option):
                set = {MODE: self._set_mode, MODEL: self._set_model}[option]
                await set({"sessionId": session_id, f"{option}Id": value})
            else:
                await self._patch(session, {"configOptions": {option: value}})
            return {"configOptions": config_options(session.state.options)}

    async def _cancel_tool_call(self, params: dict[str, Any]) -> dict[str, Any]:
        raise _not_cancellable("tool call", params.get("toolCallId"))

    async def _cancel_terminal(self, params: dict[str, Any]) -> dict[str, Any]:
        raise _not_cancellable("terminal", params.get("terminalId"))

    async def _ask_agent(self, method: str, params: dict[str, Any]) -> Any:
        """Agents speak version 1: what is not a vendor's own would mean something else to them."""
        if not method.startswith("_"):
            raise RpcError.no_method(method)
        return await super()._ask_agent(method, params)

    def _told(self, session_id: str) -> dict[str, Any]:
        with self._manager.session(session_id) as session:
            options = config_options(session.state.options)
        return {"sessionId": session_id, "configOptions": options}


def _with_servers(params: dict[str, Any]) -> dict[str, Any]:
    """`mcpServers` as version 1 has them: a program has no type, and what may be left out is there."""
    servers = params.get("mcpServers")
    if not isinstance(servers, list) or len(dicts_in(servers)) != len(servers):
        return params
    told = []
    for server in servers:
        if (transport := server.get("type")) not in _TRANSPORTS:
            raise InvalidRequest(
                f"an MCP server of the `type` {str(transport)[:64]!r} is not taken; it is one of "
                f"{', '.join(_TRANSPORTS)}"
            )
        if transport == "http":
            told.append({"headers": [], **server})
        else:
            own = {name: value for name, value in server.items() if name != "type"}
            told.append({"args": [], "env": [], **own})
    return {**params, "mcpServers": told}


def _not_cancellable(what: str, id: Any) -> InvalidRequest:
    return InvalidRequest(
        f"the {what} {str(id)[:64]!r} cannot be cancelled by itself: none here says that it can; `session/cancel` "
        "cancels the turn"
    )
