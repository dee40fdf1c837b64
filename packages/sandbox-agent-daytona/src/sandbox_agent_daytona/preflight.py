"""What a start needs, looked at before anything is made or billed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from sandbox_agent_core.errors import ProviderError, ProviderNotInstalled, SandboxAgentError
from sandbox_agent_core.spi.labels import OURS
from sandbox_agent_core.spi.provider import Check, Preflight

from sandbox_agent_daytona.api import Api, call

__all__ = ["check_account"]

SDK_SERIES = "0.226."
"""Daytona changes its SDK with each of them; this package is tested with this one."""


async def check_account(api: Api, *, request_timeout_s: float) -> Preflight:
    """Never raises."""
    sdk = _check_sdk()
    if not sdk.ok:
        return Preflight([sdk])
    try:
        await _ask(api, request_timeout_s)
    except SandboxAgentError as exc:
        kind = type(exc) if isinstance(exc, ProviderError) else ProviderError
        return Preflight([sdk, Check(name="key", ok=False, message=exc.message, error=kind)])
    return Preflight([sdk, Check(name="key", ok=True, message="Daytona takes it")])


def _check_sdk() -> Check:
    try:
        installed = version("daytona")
    except PackageNotFoundError:
        message = "Daytona's SDK is missing. Run `pip install sandbox-agent-daytona`."
        return Check(name="SDK", ok=False, message=message, error=ProviderNotInstalled)
    if not installed.startswith(SDK_SERIES):
        message = (
            f"Daytona's SDK is {installed}, and this package was made for {SDK_SERIES}x. "
            "Run `pip install --upgrade sandbox-agent-daytona`, which brings the right one."
        )
        return Check(name="SDK", ok=False, message=message, error=ProviderNotInstalled)
    return Check(name="SDK", ok=True, message=f"daytona {installed}")


async def _ask(api: Api, request_timeout_s: float) -> None:
    """For sandboxes that there are none of: whether Daytona answers is what counts."""
    from daytona import ListSandboxesQuery  # noqa: PLC0415 - the SDK is imported on first use

    query = ListSandboxesQuery(labels={OURS: "0"})
    async with api.client() as client:

        async def ask() -> None:
            async for _ in client.list(query, request_timeout=request_timeout_s):
                pass

        await call(ask, is_repeatable=True)
