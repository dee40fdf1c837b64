"""What OpenCode's server is asked for between prompts: its memory of a session, forks, and taking back."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Final

from sandbox_agent_core.frames.jsonrpc import INVALID_REQUEST, METHOD_NOT_FOUND
from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.native.refusals import InvalidParams, Refused
from sandbox_agent_server.agents.opencode.history import History
from sandbox_agent_server.agents.opencode.native import NativeCall
from sandbox_agent_server.runtime.http_peer import HttpPeer, PeerError

__all__ = ["ask_native", "read_history", "rename", "review_arguments", "rewind"]

_BAD_REQUEST: Final = 400


async def read_history(
    peer: HttpPeer, session_id: str, *, but: Container[str] = (), instead: History | None = None
) -> History:
    """`but`: messages that are no prompts. `instead`: all of it, as far as this process was told.

    Raises: Refused, PeerError, PeerGone.
    """
    session = as_dict(await peer.get(f"/session/{session_id}"))
    try:
        messages = await peer.get(f"/session/{session_id}/message")
    except PeerError as exc:
        # After a prompt for structured output it cannot list its own messages.
        if exc.status != _BAD_REQUEST:
            raise
        if instead is None:
            text = f"it cannot read the messages of this session any more: {exc.message}"
            raise Refused(INVALID_REQUEST, text) from exc
        return instead
    until = as_text(as_dict(session.get("revert")).get("messageID"))
    return History.read(messages, but=but, until=until)


async def rewind(
    peer: HttpPeer, session_id: str, history: History, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Raises: Refused, PeerError, PeerGone."""
    message = history.prompt(params.get("promptIndex"))
    has_files, has_conversation = params.get("files") is True, params.get("conversation") is True
    if has_files and not has_conversation:
        raise InvalidParams("it takes files back only together with the conversation")
    if has_files and as_dict(await peer.get("/project/current")).get("vcs") != "git":
        raise Refused(INVALID_REQUEST, "it takes files back only in a git repository")
    changed = history.changed_since(message) if has_files else []
    if params.get("dryRun") is not True and has_conversation:
        if has_files:
            await _revert(peer, session_id, message)
        else:
            # The last goes first: what is left is whole at any time.
            for id in history.since(message):
                await peer.call("DELETE", f"/session/{session_id}/message/{id}")
        history.forget_since(message)
    return {"filesChanged": changed}


async def _revert(peer: HttpPeer, session_id: str, message: str) -> None:
    told = as_dict(await peer.post(f"/session/{session_id}/revert", {"messageID": message}))
    # To an id that it does not know it says yes, too, and does nothing.
    if as_dict(told.get("revert")).get("messageID") != message:
        raise Refused(INVALID_REQUEST, "it did not go back")


async def rename(peer: HttpPeer, path: str, params: Mapping[str, Any]) -> None:
    """`path`: of the session. Raises: InvalidParams, PeerError, PeerGone."""
    title = as_text(params.get("title"))
    if title is None:
        raise InvalidParams("`title` must be a text")
    await peer.call("PATCH", path, {"title": title})


async def ask_native(peer: HttpPeer, call: NativeCall, *, title: str) -> Any:
    """Raises: Refused, PeerError, PeerGone."""
    try:
        return await peer.call(call.method, call.path, call.body, query=call.query)
    except PeerError as exc:
        # What it does not know it answers with the page of its web interface.
        if exc.status >= _BAD_REQUEST:
            raise
        raise Refused(METHOD_NOT_FOUND, f"{title} has no {call.method} {call.path}") from exc


def review_arguments(target: Any) -> str:
    """Of the command `review`. Raises: InvalidParams."""
    match target:
        case {"type": "uncommitted"}:
            return ""
        case {"type": "branch", "branch": str(name)} if name:
            return name
        case {"type": "commit", "sha": str(sha)} if sha:
            return sha
        case {"type": "custom", "instructions": str(text)} if text:
            return text
    raise InvalidParams(
        "`target` is {type: uncommitted}, {type: branch, branch}, {type: commit, sha} or "
        f"{{type: custom, instructions}}, not {target!r}"
    )
