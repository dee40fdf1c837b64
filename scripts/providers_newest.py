#!/usr/bin/env python3
"""Runs the tests of providers against the newest SDK of each, and tells what drifted from the one that is installed here.

The SDKs are installed into an environment of their own. A test that fails there runs here too, so that the answer is
whether the SDK changed. Exit code 0 when nothing broke, 1 when something did: a test that passes here, or an installation.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).with_name("uv")
INSTALL_TIMEOUT_S = 900
TEST_TIMEOUT_S = 1800
PYTEST_RAN = (0, 1)
"""Its exit codes when tests could be run, whatever came of them."""


@dataclass
class Provider:
    name: str
    sdk: Requirement
    """As its package wants it."""
    tried: str = ""
    passed: int = 0
    broken: list[str] = field(default_factory=list)
    """Tests that fail with the SDK that was tried, and pass with the one that is here."""
    failing_anyway: list[str] = field(default_factory=list)
    trouble: str | None = None
    """Why it could not be tried."""

    @property
    def package(self) -> Path:
        return ROOT / "packages" / f"sandbox-agent-{self.name}"

    @property
    def lowest(self) -> str:
        return next(each.version for each in self.sdk.specifier if each.operator == ">=")


def main() -> int:
    args = _arguments()
    providers = load_providers()
    if unknown := set(args.providers) - providers.keys():
        print(f"There is no {', '.join(sorted(unknown))}; there are {', '.join(providers)}.")
        return 2
    chosen = [
        one for name, one in providers.items() if not args.providers or name in args.providers
    ]
    wanted = {one.name: one.lowest for one in chosen} if args.lowest else {}
    wanted |= dict(args.version)
    python = _install(args.directory.absolute(), chosen, wanted)
    for provider in chosen:
        _try(provider, python, args.workers)
    report = render(chosen)
    print(report)
    if args.report is not None:
        args.report.write_text(report, encoding="utf-8")
    return int(any(one.broken or one.trouble for one in chosen))


def load_providers() -> dict[str, Provider]:
    """Those of this repository: packages with an entry point for providers and one SDK."""
    found = {}
    for path in sorted((ROOT / "packages").glob("*/pyproject.toml")):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        if "sandbox_agent.providers" not in project.get("entry-points", {}):
            continue
        (sdk,) = (
            requirement
            for requirement in map(Requirement, project["dependencies"])
            if not requirement.name.startswith("sandbox-agent-")
        )
        name = path.parent.name.removeprefix("sandbox-agent-")
        found[name] = Provider(name, sdk)
    return found


def render(providers: Sequence[Provider]) -> str:
    """Markdown."""
    lines = [
        "| provider | SDK | its package wants | here | tried | passed | broken |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.name} | {one.sdk.name} | `{one.sdk.specifier}` | {version(one.sdk.name)} | "
        f"{one.tried or '?'} | {one.passed} | {len(one.broken) or ''} |"
        for one in providers
    ]
    for one in providers:
        if one.trouble:
            lines += ["", f"## {one.name}: could not be tried", "", one.trouble]
        if one.broken:
            lines += ["", f"## {one.name}: broken by {one.sdk.name} {one.tried}", ""]
            lines += [f"- `{test}`" for test in one.broken]
        if one.failing_anyway:
            lines += ["", f"## {one.name}: failing with both", ""]
            lines += [f"- `{test}`" for test in one.failing_anyway]
    return "\n".join(lines) + "\n"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("providers", nargs="*", metavar="PROVIDER", help="only these")
    parser.add_argument(
        "--version",
        action="append",
        default=[],
        type=_named_version,
        metavar="PROVIDER=VERSION",
        help="try this one in place of the newest",
    )
    parser.add_argument(
        "--lowest", action="store_true", help="try the lowest that each package admits"
    )
    parser.add_argument("--directory", type=Path, default=ROOT / ".providers-newest")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write it there, too")
    parser.add_argument("--workers", default="auto", help="processes of the tests (default auto)")
    return parser.parse_args()


def _named_version(text: str) -> tuple[str, str]:
    provider, _, version = text.partition("=")
    if not version:
        raise argparse.ArgumentTypeError(f"{text!r} is not PROVIDER=VERSION")
    return provider, version


def _install(directory: Path, providers: Sequence[Provider], wanted: dict[str, str]) -> Path:
    """An environment with everything of this one, but with these SDKs; its Python."""
    python = directory / "bin" / "python"
    if not python.exists():
        _run([UV, "venv", "--quiet", "--seed", "--python", sys.executable, directory])
    with tempfile.TemporaryDirectory(prefix="providers-newest-") as scratch:
        # Over what our packages admit: a newer one is what is asked about.
        overrides = Path(scratch, "overrides.txt")
        lines = [
            f"{one.sdk.name}=={wanted[one.name]}" if one.name in wanted else one.sdk.name
            for one in providers
        ]
        overrides.write_text("\n".join(lines), encoding="utf-8")
        editable = [
            argument
            for path in sorted((ROOT / "packages").glob("*/pyproject.toml"))
            for argument in ("-e", str(path.parent))
        ]
        upgrades = [argument for one in providers for argument in ("-P", one.sdk.name)]
        print(f"installing {', '.join(lines)} into {directory} ...", flush=True)
        install = [str(UV), "pip", "install", "--quiet", "--python", str(python)]
        _run(
            [*install, "--override", overrides, *upgrades, *editable, "-r", "requirements-dev.txt"]
        )
    return python


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, timeout=INSTALL_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        sys.exit(f"The SDKs could not be installed: uv ended with code {done.returncode}.")


def _try(provider: Provider, python: Path, workers: str) -> None:
    code = f"from importlib.metadata import version; print(version({provider.sdk.name!r}))"
    provider.tried = subprocess.check_output([python, "-c", code], text=True).strip()
    print(f"{provider.name}: testing with {provider.sdk.name} {provider.tried} ...", flush=True)
    outcome = _test(python, provider, workers)
    if isinstance(outcome, str):
        provider.trouble = outcome
        return
    provider.passed = sum(outcome.values())
    failed = [test for test, passed in outcome.items() if not passed]
    if failed:
        here = version(provider.sdk.name)
        print(f"{provider.name}: {len(failed)} failed; with {here} ...", flush=True)
        before = _test(Path(sys.executable), provider, workers)
        passed_before = before if isinstance(before, dict) else {}
        provider.broken = [test for test in failed if passed_before.get(test)]
        provider.failing_anyway = [test for test in failed if not passed_before.get(test)]


def _test(python: Path, provider: Provider, workers: str) -> dict[str, bool] | str:
    """Which tests passed; or why they could not be run."""
    with tempfile.TemporaryDirectory(prefix="providers-newest-") as scratch:
        results = Path(scratch, "results.xml")
        command = [python, "-m", "pytest", "--no-header", "--tb=short", "-n", workers]
        command += [
            "-o",
            "junit_family=xunit1",
            f"--junitxml={results}",
            provider.package / "tests",
        ]
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=TEST_TIMEOUT_S,
            check=False,
        )
        if done.returncode not in PYTEST_RAN:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
            return f"pytest ended with code {done.returncode}.\n\n```\n{tail}\n```"
        return _read(results)


def _read(results: Path) -> dict[str, bool]:
    """Skipped ones are left out."""
    outcome: dict[str, bool] = {}
    for case in ET.parse(results).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        if "skipped" not in kinds:
            test = f"{case.get('classname')}.{case.get('name')}"
            outcome[test] = outcome.get(test, True) and not kinds & {"failure", "error"}
    return outcome


if __name__ == "__main__":
    sys.exit(main())
