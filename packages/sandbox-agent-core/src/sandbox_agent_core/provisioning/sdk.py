"""Whether a vendor's SDK is there, and is one that its provider's package was made for. Vendors release every few days: a
newer one is told of and used, because refusing it would break every start of its user."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec

from sandbox_agent_core.errors import ProviderNotInstalled
from sandbox_agent_core.installed_from import pip_install
from sandbox_agent_core.spi.provider import Check

__all__ = ["check_sdk"]


def check_sdk(vendor: str, module: str, *, package: str, tested: str | None) -> Check:
    """`package` says in its metadata which versions it admits; `tested` is the newest that its tests ran with."""
    if not _is_installed(module):
        message = f"{vendor}'s SDK is missing. Run `{pip_install(package)}`."
        return Check(name="SDK", ok=False, message=message, error=ProviderNotInstalled)
    try:
        name, lowest, limit = _admitted(package)
        here = version(name)
    except PackageNotFoundError:  # it did not come from an index
        return Check(name="SDK", ok=True, message="installed")
    found = f"{name} {here}"
    if lowest and _numbers(here) < _numbers(lowest):
        message = (
            f"{found} is too old: {package} needs {lowest} or newer. Run `pip install -U {name}`."
        )
        return Check(name="SDK", ok=False, message=message, error=ProviderNotInstalled)
    if limit and _numbers(here) >= _numbers(limit):
        known = f"{package} knows" + (f", which was tested with {tested}" if tested else "")
        message = (
            f"{found} is newer than {known}. When something fails, "
            f'try `pip install "{name}<{limit}"`.'
        )
        return Check(name="SDK", ok=True, message=message, is_warning=True)
    if tested and _numbers(here) > _numbers(tested):
        return Check(name="SDK", ok=True, message=f"{found}, newer than {tested}, which was tested")
    return Check(name="SDK", ok=True, message=found)


def _admitted(package: str) -> tuple[str, str | None, str | None]:
    """The SDK's name in an index, its lowest version, and the first that is too high: from the one requirement of the
    package that is not ours."""
    for text in requires(package) or ():
        requirement = text.partition(";")[0]
        if not requirement.startswith("sandbox-agent-"):
            name = re.match(r"[\w.-]+", requirement)
            assert name is not None
            lowest = re.search(r">=\s*([\w.]+)", requirement)
            limit = re.search(r"<\s*([\w.]+)", requirement)
            return name[0], lowest and lowest[1], limit and limit[1]
    return package, None, None


def _numbers(text: str) -> tuple[int, ...]:
    """Of a version. What follows them (`a3`, `.post1`) does not matter here."""
    release = re.match(r"\d+(?:\.\d+)*", text)
    numbers = tuple(map(int, release[0].split("."))) if release else ()
    return (*numbers, 0, 0, 0)[: max(3, len(numbers))]


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that is missing
        return False
