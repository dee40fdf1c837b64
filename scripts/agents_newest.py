#!/usr/bin/env python3
"""Runs the tests of agents against the newest version of each, and tells what drifted from the pinned one.

The newest are installed into a directory of their own. What is newer than the pin is tested in both versions, so that a
test that fails says whether the agent changed. Exit code 0 when nothing broke, 1 when something did: a test that passes
with the pinned version, an installation, or a message that cannot be read.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from sandbox_agent_core.errors import SandboxAgentError
from sandbox_agent_server.install.agents_dir import AgentsDir
from sandbox_agent_server.install.installer import Installer
from support.agents import (
    AGENTS_DIR,
    AGENTS_DIR_VARIABLE,
    OTHER_VERSIONS,
    AgentPin,
    installed_binary,
    load_pins,
)
from support.drift.collecting import DIRECTORY, ONLY, Collected, read_collected
from support.drift.comparing import AgentDrift, render
from support.drift.schemas import read_schema, unknown_to_us

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 2 * 1024**3
TESTS = ("tests/agent_conformance", "packages/sandbox-agent-server/tests/agents")


def main() -> int:
    args = _arguments()
    pins = {name: pin for name, pin in load_pins().items() if pin.when == "default"}
    if unknown := set(args.agents) - pins.keys():
        print(f"There is no agent {', '.join(sorted(unknown))}; there are {', '.join(pins)}.")
        return 2
    pins = {name: pin for name, pin in pins.items() if not args.agents or name in args.agents}
    directory = args.directory.absolute()
    newest, failures = _install(pins, directory, dict(args.version))
    changed = [name for name, version in newest.items() if version != pins[name].version]
    with tempfile.TemporaryDirectory(prefix="agents-newest-") as scratch:
        now = _test(list(newest), directory, Path(scratch, "newest"), args.workers)
        before = _test(changed, AGENTS_DIR, Path(scratch, "pinned"), args.workers)
    drifts = []
    for name, pin in pins.items():
        found = newest.get(name)
        both = before if name in changed else None
        schema = _schema(name, directory, found)
        drifts.append(
            AgentDrift(
                agent=name,
                pinned=pin.version,
                newest=found,
                failure=failures.get(name),
                rows=now.outcomes.get(name, {}),
                rows_before=both.outcomes.get(name, {}) if both else None,
                messages=now.messages.get(name, Counter()),
                messages_before=both.messages.get(name, Counter()) if both else None,
                schema=schema,
                schema_before=_schema(name, AGENTS_DIR, pin.version) if both else None,
                unknown_methods=unknown_to_us(name, schema or set()),
            )
        )
    report = render(drifts)
    print(report)
    if args.report is not None:
        args.report.write_text(report, encoding="utf-8")
    return int(any(drift.needs_work for drift in drifts))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("agents", nargs="*", metavar="AGENT", help="only these")
    parser.add_argument(
        "--version",
        action="append",
        default=[],
        type=_named_version,
        metavar="AGENT=VERSION",
        help="try this one in place of the newest",
    )
    parser.add_argument("--directory", type=Path, default=ROOT / ".agents-newest")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it there, too")
    parser.add_argument("--workers", default="auto", help="processes of the tests (default auto)")
    return parser.parse_args()


def _named_version(text: str) -> tuple[str, str]:
    agent, _, version = text.partition("=")
    if not version:
        raise argparse.ArgumentTypeError(f"{text!r} is not AGENT=VERSION")
    return agent, version


def _install(
    pins: dict[str, AgentPin], directory: Path, wanted: dict[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The versions that are there now, and why others are not."""
    installer = Installer(AgentsDir(directory), environ=os.environ, max_bytes=MAX_BYTES)
    versions, failures = {}, {}
    for name in pins:
        version = wanted.get(name, "latest")
        print(f"{name}: installing {version} ...", flush=True)
        try:
            versions[name] = installer.install(name, version=version).version.version
        except SandboxAgentError as error:
            failures[name] = error.message
            print(f"{name}: {error.message}", flush=True)
    directory.mkdir(exist_ok=True)
    (directory / OTHER_VERSIONS).write_text(json.dumps(versions), encoding="utf-8")
    return versions, failures


def _test(agents: Sequence[str], directory: Path, collected: Path, workers: str) -> Collected:
    if not agents:
        return Collected({}, {})
    collected.mkdir()
    print(f"testing {', '.join(agents)} of {directory} ...", flush=True)
    variables = {
        AGENTS_DIR_VARIABLE: str(directory),
        DIRECTORY: str(collected),
        ONLY: ",".join(agents),
    }
    command = [sys.executable, "-m", "pytest", "-p", "support.drift.collecting", "-n", workers]
    done = subprocess.run(
        [*command, "-m", "real_agent", "--no-header", *TESTS],
        cwd=ROOT,
        env={**os.environ, **variables, "PYTHONPATH": str(ROOT / "tests")},
        check=False,
    )
    if done.returncode not in (0, 1):
        sys.exit(f"The tests could not be run: pytest ended with code {done.returncode}.")
    return read_collected(collected)


def _schema(agent: str, directory: Path, version: str | None) -> set[str] | None:
    if version is None:
        return None
    pin = load_pins(versions={agent: version})[agent]
    program = installed_binary(pin, directory)
    return read_schema(agent, program) if program is not None else None


if __name__ == "__main__":
    sys.exit(main())
