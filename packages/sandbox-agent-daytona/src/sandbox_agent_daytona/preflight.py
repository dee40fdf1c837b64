"""Whether the SDK is one that this package was made for."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from sandbox_agent_core.errors import ProviderNotInstalled
from sandbox_agent_core.installed_from import pip_install
from sandbox_agent_core.spi.provider import Check

__all__ = ["check_sdk"]

SDK_SERIES = "0.226."
"""Daytona changes its SDK with each of them; this package is tested with this one."""


def check_sdk() -> Check:
    try:
        installed = version("daytona")
    except PackageNotFoundError:
        message = f"Daytona's SDK is missing. Run `{pip_install('sandbox-agent-daytona')}`."
        return Check(name="SDK", ok=False, message=message, error=ProviderNotInstalled)
    if not installed.startswith(SDK_SERIES):
        message = (
            f"Daytona's SDK is {installed}, and this package was made for {SDK_SERIES}x. "
            "Run `pip install --upgrade sandbox-agent-daytona`, which brings the right one."
        )
        return Check(name="SDK", ok=False, message=message, error=ProviderNotInstalled)
    return Check(name="SDK", ok=True, message=f"daytona {installed}")
