#!/usr/bin/env python3
"""Builds sdists and wheels of all packages, and tries them as a user gets them: from an index, in clean environments.

Each Python from 3.11 on that is here gets all of them from a package index on loopback, which has only ours: the rest comes
from the usual one. There every program starts, imports are whole, and a session of the mock agent runs. Each extra of the
client is tried alone with the newest of them. Exit code 0 when all is well.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from release.distributions import Distribution, build, problems_of, read_distributions
from release.index import serve_index
from release.pythons import find_pythons

ROOT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).with_name("uv")
TIMEOUT_S = 600
SESSION = ["run", "--agent", "mock", "text"]
ANSWER = "The quick brown fox"


class Failed(Exception):
    """What was tried does not work; the message has the end of what it said."""


def main() -> int:
    args = _arguments()
    with tempfile.TemporaryDirectory(prefix="release-check-") as scratch:
        dist = args.dist.absolute() if args.dist is not None else Path(scratch, "dist")
        packages = sorted((ROOT / "packages").glob("sandbox-agent-*"))
        say(f"building {len(packages)} packages into {dist}")
        build(packages, dist)
        distributions = read_distributions(dist)
        failures = _metadata(distributions, packages, is_release=args.release)
        failures += _attempt("readmes", lambda: _render(dist))
        with serve_index(dist) as index:
            failures += _install(distributions, index, Path(scratch), args.python)
    for failure in failures:
        say(f"FAILED {failure}")
    if not failures:
        say(f"all is well with {distributions[0].version}")
    return int(bool(failures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--dist", type=Path, metavar="DIR", help="keep what was built there")
    parser.add_argument(
        "--release",
        action="store_true",
        help="insist also on what may be missing until there is one",
    )
    parser.add_argument(
        "--python", action="append", default=[], metavar="MINOR", help="only this one: 3.12"
    )
    return parser.parse_args()


def _metadata(
    distributions: Sequence[Distribution], packages: Sequence[Path], *, is_release: bool
) -> list[str]:
    say("checking metadata")
    expected = {(path.name, kind) for path in packages for kind in ("wheel", "sdist")}
    missing = expected - {(one.name, one.kind) for one in distributions}
    failures = [f"{name}: there is no {kind}" for name, kind in sorted(missing)]
    for one in distributions:
        problems = problems_of(one, is_release=is_release)
        failures += [f"{one.file.name}: {problem}" for problem in problems]
    return failures


def _render(dist: Path) -> None:
    say("rendering readmes as an index does")
    # In an environment of its own: nobody else needs it.
    files: list[str | Path] = [*sorted(dist.iterdir())]
    run([UV, "tool", "run", "--quiet", "twine", "check", "--strict", *files])


def _install(
    distributions: Sequence[Distribution], index: str, scratch: Path, wanted: Sequence[str]
) -> list[str]:
    pythons = {
        minor: path for minor, path in find_pythons().items() if not wanted or minor in wanted
    }
    if not pythons:
        return [f"there is no Python {' or '.join(wanted) or 'from 3.11 on'} here"]
    client = next(one for one in distributions if one.name == "sandbox-agent-client")
    version = client.version
    providers = [extra for extra in client.extras if extra not in ("local", "inspector", "testing")]
    failures = []
    for minor, python in pythons.items():
        say(f"Python {minor}: everything")
        venv = scratch / f"venv-{minor}"
        everything = [f"{one.name}=={version}" for one in distributions if one.kind == "wheel"]
        everything.append(f"sandbox-agent-client[{','.join(client.extras)}]=={version}")

        def try_all(venv: Path = venv, python: Path = python, what: list[str] = everything) -> None:
            make_environment(venv, python, what, index=index)
            _try_everything(venv, distributions, version)

        failures += _attempt(f"Python {minor}", try_all)
    newest = list(pythons.values())[-1]
    for extra in ["local", *providers]:
        say(f"sandbox-agent-client[{extra}] alone")

        def try_extra(extra: str = extra) -> None:
            venv = scratch / f"venv-{extra}"
            what = [f"sandbox-agent-client[{extra}]=={version}"]
            make_environment(venv, newest, what, index=index)
            _try_extra(venv, extra)

        failures += _attempt(f"[{extra}]", try_extra)
    return failures


def _attempt(what: str, work: Callable[[], None]) -> list[str]:
    try:
        work()
    except (Failed, subprocess.TimeoutExpired) as error:
        return [f"{what}: {error}"]
    return []


def make_environment(venv: Path, python: Path, what: Sequence[str], *, index: str) -> None:
    """Our names are looked for in our index first, and uv takes a name from the first that has it."""
    run([UV, "venv", "--quiet", "--python", python, venv])
    run([UV, "pip", "install", "--quiet", "--python", venv / "bin/python", "--index", index, *what])
    run([UV, "pip", "check", "--quiet", "--python", venv / "bin/python"])


def _try_everything(venv: Path, distributions: Sequence[Distribution], version: str) -> None:
    for one in distributions:
        if one.kind == "wheel":
            run([venv / "bin/python", "-W", "error::SyntaxWarning", "-c", f"import {one.module}"])
            for program in one.programs:
                _try_program(venv / "bin" / program, version)
    _try_session(venv)
    _try_inspector(venv)


def _try_inspector(venv: Path) -> None:
    """Built files came with it: there is no Node.js in this environment, and none is looked for."""
    check = (
        "from sandbox_agent_server.http.inspector import find_inspector; print(find_inspector())"
    )
    if "None" in run([venv / "bin/python", "-c", check], home=venv / "home"):
        raise Failed("the server finds no Inspector")


def _try_program(program: Path, version: str) -> None:
    said = run([program, "--version"])
    if version not in said:
        raise Failed(f"{program.name} --version says {said!r}, not {version}")
    run([program, "--help"])


def _try_session(venv: Path) -> None:
    said = run([venv / "bin/sandbox-agent", *SESSION], home=venv / "home")
    if ANSWER not in said:
        raise Failed(f"the mock agent did not answer: {said!r}")


def _try_extra(venv: Path, extra: str) -> None:
    """The provider is there, and a sandbox of it would get its server from here."""
    if extra == "local":
        _try_session(venv)
        return
    check = ["sandboxes", "check", "--provider", extra, "--json"]
    said = run([venv / "bin/sandbox-agent", *check], home=venv / "home", may_fail=True)
    if not re.search(r'"check": "server", "ok": true', said):
        raise Failed(f"it does not bring the server: {said!r}")


def run(command: Sequence[str | Path], *, home: Path | None = None, may_fail: bool = False) -> str:
    """What it wrote. Raises: Failed. With a `home`: with nothing of the person who runs this."""
    env = None
    if home is not None:
        home.mkdir(exist_ok=True)
        env = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=home or ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0 and not may_fail:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise Failed(f"{Path(command[0]).name} ended with {done.returncode}\n{tail}")
    return done.stdout


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
