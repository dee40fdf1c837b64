"""Requests of OpenCode's own API, as a client may make them for his session. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.frames.jsonrpc import INVALID_REQUEST
from sandbox_agent_core.lenient import as_dict

from sandbox_agent_server.agents.native.refusals import InvalidParams, Refused

__all__ = ["NativeCall"]

_METHOD: Final = re.compile(r"(DELETE|GET|PATCH|POST|PUT) (/[A-Za-z0-9_./:~@%{}-]*)")
_SESSION: Final = re.compile(r"/session(?=/|$)(?:/([^/]*))?")
_OWN: Final = "{sessionID}"
_READ: Final = "GET"
_STREAM: Final = re.compile(
    r"(/api|/global)?/event|(/api)?/pty/[^/]*/connect|/api/session/[^/]*/event"
)
_REQUEST: Final = re.compile(r".*/(permissions?|question)/.+")
_LIFE: Final = re.compile(
    r"/(global|instance)/(dispose|upgrade)|/(tui|sync)/.*|/experimental/control-plane/.*"
)


@dataclass(frozen=True, slots=True)
class NativeCall:
    method: str
    path: str
    body: Any
    query: Mapping[str, str]

    @classmethod
    def read(
        cls, params: Mapping[str, Any], *, session_id: str, is_ours: Callable[[str], bool]
    ) -> NativeCall:
        """`{method: "GET /path", params}`: `params` are the query of a GET, else the body. `{sessionID}`
        in the path stands for the session's own.

        Raises: Refused, InvalidParams.
        """
        match = _METHOD.fullmatch(str(params.get("method")))
        if match is None or "/.." in match[2] or "%" in match[2]:
            raise InvalidParams(
                f'`method` is an HTTP method and a path, as "GET /session/{_OWN}/todo", not '
                f"{params.get('method')!r}"
            )
        method, path = match[1], match[2].replace(_OWN, session_id)
        for found in _SESSION.finditer(path):
            if not is_ours(found[1] or "") and found[1] != "status":
                raise Refused(INVALID_REQUEST, f"{path} is about other sessions than this one")
        if (why := _refusal(method, path)) is not None:
            raise Refused(INVALID_REQUEST, f"{method} {path} is refused: {why}")
        given = params.get("params")
        if method == _READ:
            return cls(
                method, path, None, {key: str(value) for key, value in as_dict(given).items()}
            )
        return cls(method, path, given, {})


def _refusal(method: str, path: str) -> str | None:
    if _STREAM.fullmatch(path):
        return "it is a stream"
    if method == _READ:
        return None
    if _REQUEST.fullmatch(path):
        return "requests are answered by whoever the session asks"
    return "it is about the server, not this session" if _LIFE.fullmatch(path) else None
