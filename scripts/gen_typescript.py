#!/usr/bin/env python3
"""Writes the API's types of the TypeScript client from what `/openapi.json` says. `--check` only compares.

Where there is no Node.js, `--check` says so and passes: everything but the Inspector works without it. CI has one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
INSPECTOR = ROOT / "packages" / "sandbox-agent-inspector"
SCHEMA = INSPECTOR / "web" / "client" / "src" / "api" / "schema.ts"
PROGRAM = INSPECTOR / "web" / "node_modules" / "openapi-typescript" / "bin" / "cli.js"

sys.path.insert(0, str(INSPECTOR))

from web_build import BuildFailed, install


def main() -> int:
    is_check = "--check" in sys.argv
    try:
        node = install()
    except BuildFailed as exc:
        print(f"{SCHEMA.relative_to(ROOT)} is not looked at: {exc}", file=sys.stderr)
        return 1 if os.environ.get("CI") or not is_check else 0
    text = types_of(description(), node=str(node.node))
    if SCHEMA.exists() and SCHEMA.read_text(encoding="utf-8") == text:
        return 0
    if is_check:
        print(f"{SCHEMA.relative_to(ROOT)} is not what the API says. Run `make fmt`.")
        return 1
    SCHEMA.write_text(text, encoding="utf-8")
    return 0


def description() -> dict[str, Any]:
    """`/openapi.json`, from the very routes."""
    with tempfile.TemporaryDirectory(prefix="gen-typescript-") as scratch:
        program = (
            "import json, sys\n"
            "from pathlib import Path\n"
            "from starlette.testclient import TestClient\n"
            "from sandbox_agent_server.app import create_app\n"
            "from sandbox_agent_server.settings import load_settings\n"
            "from sandbox_agent_server.store.index import SessionIndex\n"
            "data = Path(sys.argv[1])\n"
            "settings = load_settings({'data_dir': data}, {}, None)\n"
            "index = SessionIndex(data)\n"
            "client = TestClient(create_app(settings, index, token=None), base_url='http://127.0.0.1')\n"
            "print(client.get('/openapi.json').text)\n"
            "index.close()\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, scratch],
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
    return untitled(json.loads(done.stdout))


def untitled(value: Any) -> Any:
    """Without the titles that pydantic makes up of names: each would be a comment that says nothing."""
    if isinstance(value, list):
        return [untitled(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: untitled(each)
        for name, each in value.items()
        if not (name == "title" and isinstance(each, str) and "version" not in value)
    }


def types_of(document: dict[str, Any], *, node: str) -> str:
    with tempfile.TemporaryDirectory(prefix="gen-typescript-") as scratch:
        source = Path(scratch, "openapi.json")
        source.write_text(json.dumps(document), encoding="utf-8")
        out = Path(scratch, "schema.ts")
        done = subprocess.run(
            [node, str(PROGRAM), str(source), "--output", str(out), "--root-types", "--root-types-no-schema-prefix",
             "--default-non-nullable", "false"],
            cwd=INSPECTOR / "web", capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode != 0:
            sys.exit(f"openapi-typescript failed:\n{done.stdout}{done.stderr}")
        return out.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
