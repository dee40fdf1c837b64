"""Batches for programs without an event loop."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from sandbox_agent_client._sync._backend import Portal
from sandbox_agent_client.batch.runner import run_batch

__all__ = ["run_batch_sync"]

P = ParamSpec("P")
T = TypeVar("T")


def _synchronous(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        portal = Portal()
        try:
            # An interrupt cancels it, and waits until no sandbox is left.
            return portal.run(lambda: function(*args, **kwargs))
        finally:
            portal.close()

    return call


run_batch_sync = _synchronous(run_batch)
