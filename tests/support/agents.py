"""Which agents are pinned, and where `scripts/install_test_agents.py` put them. Stdlib only."""

from __future__ import annotations

import json
import platform
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["AGENTS_DIR", "AgentPin", "installed_binary", "load_pins"]

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
    when: Literal["default", "peer"]

    @property
    def spec(self) -> str:
        return f"{self.package}@{self.version}"

    @property
    def folder(self) -> Path:
        return AGENTS_DIR / self.name

    def find_binary(self, folder: Path) -> Path | None:
        return next((folder / "node_modules").glob(self.binary), None)

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
    """What the server installs, as npm puts it under node_modules/."""
    if table["kind"] == "node":
        binary = f".bin/{table['program']}"
        return {"package": table["package"], "version": table["version"], "binary": binary}
    theirs = table["platforms"].get(here, here)
    words = {"platform": theirs, "version": table["version"]}
    package = table["platform_package"].format(**words)
    return {
        "package": package,
        "version": table.get("platform_version", "{version}").format(**words),
        "binary": f"{package}/{table['path'].format(**words)}",
    }


def installed_binary(pin: AgentPin) -> Path | None:
    """The binary of the pinned version, `None` when that very version is not installed."""
    try:
        stamp = json.loads((pin.folder / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return pin.find_binary(pin.folder) if stamp.get("spec") == pin.spec else None


def _npm_platform() -> str:
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    return f"{sys.platform}-{machine}"
