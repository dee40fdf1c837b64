"""Where a server has its Inspector, the link that opens it, and its files, which are a package of their own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Final, Protocol
from urllib.parse import quote

from sandbox_agent_core.installed_from import pip_install

__all__ = [
    "FOLDER",
    "PACKAGE",
    "InspectorAnswer",
    "InspectorFiles",
    "find_inspector",
    "inspector_link",
    "no_inspector",
]

FOLDER: Final = "/ui/"
PACKAGE: Final = "sandbox_agent_inspector"


class InspectorAnswer(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class InspectorFiles(Protocol):
    """`sandbox_agent_inspector.serving.Files`: whoever gives them out can do without that package."""

    @property
    def is_built(self) -> bool: ...

    def answer(
        self,
        path: str,
        *,
        accept_encoding: str = "",
        if_none_match: str = "",
        frames: str | None = None,
    ) -> InspectorAnswer | None: ...


def find_inspector() -> InspectorFiles | None:
    """None when the package is not installed, or is a checkout that nobody has built."""
    if find_spec(PACKAGE) is None:
        return None
    static = import_module(PACKAGE).STATIC
    files: InspectorFiles = import_module(f"{PACKAGE}.serving").Files(static)
    return files if files.is_built else None


def inspector_link(url: str, token: str | None) -> str:
    """What opens it. The token is in the fragment, which no browser sends to anybody. An address that means all of a
    machine is none to go to: the browser is taken to be on that machine."""
    reachable = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    fragment = "" if token is None else f"#token={quote(token, safe='')}"
    return f"{reachable.rstrip('/')}{FOLDER}{fragment}"


def no_inspector(url: str, *, is_ours: bool) -> str:
    """Why a server has no link, and what to do. `is_ours`: its sandbox was started from here."""
    hub = "`sandbox-agent ui`"
    if find_inspector() is None:
        hub = f"{hub} after `{pip_install('sandbox-agent-client[inspector]')}`"
    if is_ours:
        return (
            f"The server at {url} has no Inspector. It is seen with {hub}; new sandboxes that get their server from "
            "here have one of their own then, unless they are started with `inspector=False`."
        )
    return (
        f"The server at {url} has no Inspector. Install `sandbox-agent-server[inspector]` where it runs and start it "
        f"again, or look at it from here: {hub}, with `--server {url}`."
    )
