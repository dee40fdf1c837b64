"""From the name of an engine to an engine. Names are cheap: nothing is imported before it is asked for."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from sandbox_agent_core.errors import InvalidRequest, SandboxAgentError
from sandbox_agent_core.installed_from import pip_install

from sandbox_agent_client.batch.engine import Engine

__all__ = ["GROUP", "find_engine", "installed_engines"]

GROUP: Final = "sandbox_agent.engines"
LOCAL: Final = EntryPoint("local", "sandbox_agent_client.trials.local_engine:LocalEngine", GROUP)
"""Of this package: it is there whatever is installed."""
OURS: Final = ("ray",)
"""Engines of this project, in the packages `sandbox-agent-NAME`."""


def installed_engines() -> list[str]:
    return sorted(_points())


def find_engine(engine: str | Engine, *, concurrency: int, **options: Any) -> Engine:
    """The engine of a name, made with its own options; an engine as it is.

    Raises:
        InvalidRequest: there is no such engine here, it cannot be loaded, or it does not take these options.
    """
    if not isinstance(engine, str):
        return engine
    point = _points().get(engine)
    if point is None:
        raise InvalidRequest(_advice(engine), engine=engine, installed=installed_engines())
    try:
        made: Engine = point.load()(concurrency=concurrency, **options)
    except SandboxAgentError:
        raise
    except (ImportError, AttributeError, TypeError, ValueError) as exc:
        raise InvalidRequest(f"The engine {engine!r} cannot be made: {exc}", engine=engine) from exc
    return made


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in (*entry_points(group=GROUP), LOCAL)}


def _advice(name: str) -> str:
    if name in OURS:
        return (
            f"The engine {name!r} is not installed. Run `{pip_install(f'sandbox-agent-{name}')}`."
        )
    return f"There is no engine {name!r}. Installed: {', '.join(installed_engines())}."
