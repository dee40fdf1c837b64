"""Ray, loaded on first use and kept quiet; and its errors as ours."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.errors import (
    InternalError,
    InvalidRequest,
    SandboxAgentError,
    Unavailable,
)

__all__ = [
    "ActorLost",
    "Node",
    "connected",
    "find_actor",
    "kill",
    "me",
    "nodes",
    "on_node",
    "outcome",
    "start_actor",
    "start_task",
    "this_node",
]

_SKIP: Final = "RAY_DEDUP_LOGS_SKIP_REGEX"


class ActorLost(Exception):
    """Its process or its node has died, or cannot be reached."""

    def __init__(self, message: str, *, may_come_back: bool) -> None:
        super().__init__(message)
        self.may_come_back = may_come_back


@dataclass(frozen=True, slots=True)
class Node:
    id: str
    name: str
    """For people."""


def _ray() -> Any:
    if "ray" in sys.modules:
        return importlib.import_module("ray")
    # Ray prints what has died to the driver's stdout, whatever `log_to_driver` says. It is read once, at the import.
    os.environ[_SKIP] = "^"
    try:
        return importlib.import_module("ray")
    finally:
        del os.environ[_SKIP]


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[None]:
    """To the cluster at an address; where the program is connected already, that connection, which stays.

    Raises:
        InvalidRequest: there is no cluster.
    """
    ray = _ray()
    if ray.is_initialized():
        yield
        return
    if address.startswith("ray://"):
        raise InvalidRequest(
            f"{address!r} is of Ray Client, from outside of the cluster: run this on one of its nodes, with "
            "`address=auto`."
        )
    try:
        # Not in this thread: in the main one it takes SIGTERM for itself.
        await asyncio.to_thread(
            ray.init, address=address, log_to_driver=False, logging_level="error"
        )
    except (ConnectionError, ValueError, RuntimeError) as exc:
        raise InvalidRequest(
            f"There is no Ray cluster at {address!r}: start one with `ray start --head`, or give `address`. ({exc})",
            address=address,
        ) from exc
    try:
        yield
    finally:
        await asyncio.to_thread(ray.shutdown)


def nodes() -> dict[Node, Mapping[str, float]]:
    """Those that are alive, and what each has in all."""
    return {
        Node(one["NodeID"], one["NodeManagerHostname"]): one["Resources"]
        for one in _ray().nodes()
        if one["Alive"]
    }


def this_node() -> Node:
    return Node(_ray().get_runtime_context().get_node_id(), socket.gethostname())


def on_node(node: Node, *, soft: bool) -> Any:
    """`soft`: elsewhere, when it is gone."""
    strategies = importlib.import_module("ray.util.scheduling_strategies")
    return strategies.NodeAffinitySchedulingStrategy(node.id, soft=soft)


def start_actor(cls: type, *args: Any, **options: Any) -> Any:
    return _ray().remote(cls).options(**options).remote(*args)


def start_task(function: Any, *args: Any, **options: Any) -> Any:
    return _ray().remote(function).options(**options).remote(*args)


def find_actor(name: str, namespace: str) -> Any | None:
    try:
        return _ray().get_actor(name, namespace=namespace)
    except ValueError:
        return None


def me() -> Any:
    """The actor in which this is called."""
    return _ray().get_runtime_context().current_actor


def kill(actor: Any) -> None:
    """For good. One that is dead is no error."""
    _ray().kill(actor, no_restart=True)


async def outcome(ref: Any) -> Any:
    """What a call to an actor or a task gives.

    Raises:
        ActorLost: nobody knows what came of it.
        SandboxAgentError: what it has raised; `InternalError` for what is none.
    """
    exceptions = importlib.import_module("ray.exceptions")
    try:
        return await ref
    except exceptions.RayActorError as exc:
        is_away = isinstance(exc, exceptions.ActorUnavailableError)
        raise ActorLost(_in_one_line(exc), may_come_back=is_away) from exc
    except exceptions.RayTaskError as exc:
        if isinstance(exc.cause, SandboxAgentError):
            raise exc.cause from exc
        raise InternalError(_in_one_line(exc.cause)) from exc
    except exceptions.RayError as exc:
        raise Unavailable(_in_one_line(exc)) from exc


def _in_one_line(exc: BaseException) -> str:
    text = str(exc).strip()
    return f"{type(exc).__name__}: {text.splitlines()[0] if text else ''}"
