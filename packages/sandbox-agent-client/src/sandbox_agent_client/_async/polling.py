"""Events page by page, each waited for: for networks that let nothing through that goes on for long."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from sandbox_agent_core.errors import ServerUnreachable, Timeout

from sandbox_agent_client._async.interrupt import Interrupt
from sandbox_agent_client._failures import (
    error_of_response,
    http_failures,
    is_problem,
    read_json,
)
from sandbox_agent_client._network import socket_of
from sandbox_agent_client._stream_choice import StreamChoice

__all__ = ["polled_batches"]

_CONNECTED = frozenset({"connection.connect_tcp.complete", "connection.start_tls.complete"})


@asynccontextmanager
async def polled_batches(
    http: httpx.AsyncClient,
    url: str,
    *,
    query: Mapping[str, str | int],
    headers: Mapping[str, str],
    interrupt: Interrupt,
    timeout_s: float,
    silence_s: float,
    choice: StreamChoice,
    what: str,
) -> AsyncIterator[AsyncIterator[list[Mapping[str, Any]]]]:
    """Batches of events; with where the page ended as `{cursor}`: alone, when nothing came while it was waited for.

    `http` is for nothing else, so that the connection that it makes can be cut by `interrupt` while it waits.

    Raises:
        SandboxAgentError: the server refused, or a page did not come.
    """

    async def connected(step: str, info: Mapping[str, Any]) -> None:
        if step in _CONNECTED:
            interrupt.guard(socket_of(info["return_value"]))

    async def pages() -> AsyncIterator[list[Mapping[str, Any]]]:
        asked = dict(query)
        while not interrupt.is_set:
            wait_s = choice.poll_s
            with http_failures(what):
                response = await http.get(
                    url,
                    params={**asked, "wait": f"{wait_s:g}"},
                    headers={**headers, "Accept": "application/json"},
                    timeout=httpx.Timeout(timeout_s, read=wait_s + silence_s),
                    extensions={"trace": connected},
                )
            page = _page(response)
            asked["after"] = page["nextCursor"]
            yield [*page["events"], {"cursor": page["nextCursor"]}]

    with interrupt.guarding(None):
        try:
            yield pages()
        except (ServerUnreachable, Timeout):
            choice.poll_was_cut()
            raise


def _page(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        error = error_of_response(response.status_code, response.content)
        if is_problem(response):
            raise error
        raise ServerUnreachable(f"A gateway answered for the server: {error.message}") from error
    page: dict[str, Any] = read_json(response.content, "A page of events")
    return page
