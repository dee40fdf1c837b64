"""From the name of a provider to a provider. Names are cheap: nothing is imported before it is asked for."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points, requires
from typing import Any

from sandbox_agent_core.errors import (
    InvalidRequest,
    ProviderError,
    ProviderNotInstalled,
    SandboxAgentError,
)
from sandbox_agent_core.installed_from import pip_install
from sandbox_agent_core.spi.options import hint
from sandbox_agent_core.spi.provider import SandboxProvider

from sandbox_agent_client.sandboxes.local import LocalProvider
from sandbox_agent_client.sandboxes.shape import check_provider

__all__ = ["GROUP", "find_provider", "installed_providers"]

GROUP = "sandbox_agent.providers"
START_OPTIONS = (
    "ref", "keep", "env", "labels", "agents", "wheelhouse", "inspector", "idle_timeout", "on_idle", "report", "persistence",
    "transport", "timeout", "reconnect_timeout", "health_timeout", "wake", "workspace",
)  # fmt: skip
"""Of `SandboxAgent.start` itself; a word that is near to one of them was meant for it."""


def installed_providers() -> list[str]:
    """The names that `find_provider` knows here."""
    return sorted({LocalProvider.name, *_points()})


def find_provider(
    sandbox: str | SandboxProvider, options: Mapping[str, Any] | None = None
) -> SandboxProvider:
    """The provider of a name, made with its own options; a provider object as it is.

    Raises:
        ProviderNotInstalled: there is no such provider here; the message says how to get it.
        ProviderError: it is installed but cannot be loaded.
        InvalidRequest: it does not take these options, or options were given with an object.
    """
    if not isinstance(sandbox, str):
        if options:
            raise InvalidRequest(
                f"The provider is made already: give {_listed(options)} to its constructor."
            )
        check_provider(sandbox)
        return sandbox
    factory = _factory(sandbox)
    _check_options(sandbox, factory, options or {})
    try:
        return factory(**options or {})
    except SandboxAgentError:
        raise
    except (TypeError, ValueError) as exc:
        raise InvalidRequest(f"Provider {sandbox!r} refuses its options: {exc}") from exc
    except Exception as exc:
        raise _not_loaded(sandbox, exc) from exc


def _factory(name: str) -> Callable[..., SandboxProvider]:
    if name == LocalProvider.name:
        return LocalProvider
    found = _points()
    if name not in found:
        raise _not_installed(name)
    try:
        factory: Callable[..., SandboxProvider] = found[name].load()
    except Exception as exc:
        raise _not_loaded(name, exc) from exc
    return factory


def _check_options(
    name: str, factory: Callable[..., SandboxProvider], options: Mapping[str, Any]
) -> None:
    parameters = inspect.signature(factory).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    unknown = [option for option in options if option not in parameters]
    if unknown:
        raise InvalidRequest(
            f"Provider {name!r} has no option {_listed(unknown)}."
            f"{''.join(hint(one, [*parameters, *START_OPTIONS]) for one in unknown)} "
            f"It takes: {', '.join(parameters) or 'none'}.",
            options=unknown,
        )


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _listed(names: Mapping[str, Any] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _not_loaded(name: str, exc: Exception) -> ProviderError:
    return ProviderError(f"Provider {name!r} cannot be loaded: {exc}", provider=name)


def _not_installed(name: str) -> ProviderNotInstalled:
    installed = installed_providers()
    if _is_an_extra(name):
        hint = f"Provider {name!r} is not installed. Run `{pip_install(f'sandbox-agent-{name}')}`."
    else:
        hint = f"There is no provider {name!r}. Installed: {', '.join(installed)}."
    return ProviderNotInstalled(hint, provider=name, installed=installed)


def _is_an_extra(name: str) -> bool:
    """Of the client: a provider of this project, in the package `sandbox-agent-NAME`."""
    extra = re.compile(rf"sandbox-agent-({re.escape(name)})\b.*extra == ['\"]\1['\"]")
    return any(map(extra.match, requires("sandbox-agent-client") or ()))
