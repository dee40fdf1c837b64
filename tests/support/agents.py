"""Which agents are pinned, and where `scripts/install_test_agents.py` put them. Stdlib only."""

from __future__ import annotations

import json
import platform
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["AGENTS_DIR", "AgentPin", "installed_binary", "load_pins"]

REPOSITORY = Path(__file__).resolve().parents[2]
AGENTS_DIR = REPOSITORY / ".agents"
_PINS_FILE = Path(__file__).with_name("agents.toml")
_STAMP = "installed.json"


@dataclass(frozen=True, slots=True)
class AgentPin:
    name: str
    package: str
    version: str
    binary: str
    when: Literal["default", "all", "peer"]

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
    pins = tomllib.loads(_PINS_FILE.read_text(encoding="utf-8"))
    here = _npm_platform()
    return {
        name: AgentPin(
            name=name, **{key: text.replace("{platform}", here) for key, text in fields.items()}
        )
        for name, fields in pins.items()
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
