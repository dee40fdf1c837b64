"""How more packages of this project are got: from where this one came, which may be a checkout or a built wheel."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from posixpath import basename, dirname, join

__all__ = ["pip_install"]

_HERE = "sandbox-agent-core"


def pip_install(package: str) -> str:
    """The command that installs `package`, one of ours, in the version that is here; `name[extra]` too.

    It names a checkout's directory or a wheel's file where core was installed from one, as PEP 610 records it,
    so that no index is asked for what it may not have.
    """
    name, bracket, _ = package.partition("[")
    place = _place(name)
    what = f"{package}@{place}" if place else package
    return f'pip install "{what}"' if bracket else f"pip install {what}"


def _place(package: str) -> str | None:
    here = distribution(_HERE)
    recorded = json.loads(here.read_text("direct_url.json") or "{}")
    url = str(recorded.get("url", "")).rstrip("/")
    if "dir_info" in recorded and basename(url) == _HERE:
        return join(dirname(url), package)
    module = package.replace("-", "_")
    prefix = f"{_HERE.replace('-', '_')}-{here.version}-"
    if basename(url).startswith(prefix):
        return join(dirname(url), basename(url).replace(prefix, f"{module}-{here.version}-", 1))
    return None
