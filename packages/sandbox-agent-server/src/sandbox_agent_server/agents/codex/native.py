"""Codex's app-server protocol: JSON-RPC without the `jsonrpc` member, one message a line.

Both sides number their requests from 0 or 1 in id spaces of their own, so an id says nothing: what has
a `method` is asked, what has none answers.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Native", "failure", "notification", "request", "success"]

Native = dict[str, Any]


def request(id: int, method: str, params: Native) -> Native:
    return {"id": id, "method": method, "params": params}


def notification(method: str) -> Native:
    return {"method": method}


def success(id: Any, result: Native) -> Native:
    return {"id": id, "result": result}


def failure(id: Any, code: int, message: str) -> Native:
    return {"id": id, "error": {"code": code, "message": message}}
