"""Whether an object is a provider at all, before anything is made with it. People write their own, and other projects' too."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from sandbox_agent_core.errors import InvalidRequest, ProviderError
from sandbox_agent_core.spi.provider import Endpoint, SandboxRef

__all__ = ["check_endpoint_of", "check_provider", "check_ref"]

_SHAPE: Final = (
    "A provider has `name`, `async create(spec) -> SandboxRef`, `async endpoint(ref) -> Endpoint` and "
    "`async destroy(ref)`: docs/providers/custom.md."
)
_METHODS: Final = ("endpoint", "create", "destroy")
_ELSEWHERE: Final = {"endpoint": ("getUrl", "get_url", "url"), "destroy": ("delete", "kill")}
"""What others call it."""


def check_provider(provider: Any) -> None:
    """Raises: InvalidRequest; the message says what is missing."""
    if isinstance(provider, type):
        raise InvalidRequest(
            f"{provider.__name__} is a class: give start() an object of it, {provider.__name__}(…)."
        )
    if isinstance(provider, Mapping):
        raise InvalidRequest(
            "start() takes a provider or its name, and options as keywords: "
            "SandboxAgent.start('docker', image=…)."
        )
    kind = type(provider).__name__
    if not isinstance(getattr(provider, "name", None), str):
        raise InvalidRequest(f"{kind} is no provider: it has no `name`. {_SHAPE}")
    for method in _METHODS:
        if not callable(getattr(provider, method, None)):
            theirs = next(
                (name for name in _ELSEWHERE.get(method, ()) if hasattr(provider, name)), None
            )
            hint = f" (its `{theirs}` may be that)" if theirs else ""
            raise InvalidRequest(f"Provider {provider.name!r} has no `{method}`{hint}. {_SHAPE}")
    for method in _METHODS:
        try:
            inspect.signature(getattr(provider, method)).bind(None)
        except TypeError as exc:
            raise InvalidRequest(
                f"`{method}` of provider {provider.name!r} does not take what it is given: {exc}. {_SHAPE}"
            ) from exc
        except ValueError:
            pass  # one that has no signature


def check_ref(provider: Any, ref: Any) -> SandboxRef:
    """What `create` gave. Raises: ProviderError."""
    if not isinstance(ref, SandboxRef):
        raise ProviderError(
            f"`create` of provider {provider.name!r} gave {type(ref).__name__}, and is to give a SandboxRef: "
            f"SandboxRef(provider={provider.name!r}, id=…).",
            provider=provider.name,
        )
    return ref


def check_endpoint_of(provider: Any, endpoint: Any) -> Endpoint:
    """What `endpoint` gave. Raises: ProviderError."""
    if not isinstance(endpoint, Endpoint):
        raise ProviderError(
            f"`endpoint` of provider {provider.name!r} gave {type(endpoint).__name__}, and is to give an Endpoint: "
            "Endpoint(url=…, token=…).",
            provider=provider.name,
        )
    return endpoint
