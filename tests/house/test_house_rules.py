"""The rules of the house that a program can check."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import sandbox_agent_client
from sandbox_agent_core import errors
from sandbox_agent_core.errors import SandboxAgentError, error_classes
from sandbox_agent_core.events import EVENT_CLASSES
from support.agents import load_pins

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(
    path for path in (ROOT / "packages").iterdir() if (path / "pyproject.toml").exists()
)
VERSIONS = ROOT / "packages/sandbox-agent-server/src/sandbox_agent_server/install/versions.toml"
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc"}


def modules() -> list[Path]:
    return sorted((ROOT / "packages").glob("*/src/**/*.py"))


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [path for path in modules() if path.stem in VAGUE] == []


def test_every_list_of_public_names_is_sorted() -> None:
    unsorted = []
    for path in modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                names = ast.literal_eval(node.value)
                if (
                    sorted(names, key=lambda name: (not name.isupper(), name))
                    != names
                    != sorted(names)
                ):
                    unsorted.append(path)
    assert unsorted == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_carries_the_licence_and_is_typed(package: Path) -> None:
    licence = (package / "LICENSE").read_text(encoding="utf-8")
    assert licence == (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert list(package.glob("src/*/py.typed"))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_in_repo_pins_are_of_this_version(package: Path) -> None:
    version = (ROOT / "VERSION").read_text(encoding="utf-8").strip()
    pins = re.findall(
        r'"(sandbox-agent-[a-z0-9]+)([^"]*)"',
        (package / "pyproject.toml").read_text(encoding="utf-8"),
    )
    wrong = [(name, pin) for name, pin in pins if pin and pin != f"~={version}"]
    assert wrong == []


def test_every_extra_with_a_provider_brings_the_server() -> None:
    """A sandbox gets it from what is installed beside the client."""
    client = (ROOT / "packages/sandbox-agent-client/pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(client)["project"]["optional-dependencies"]
    names = [path.name.removeprefix("sandbox-agent-") for path in PACKAGES]
    providers = set(names) - {"core", "client", "server", "postgres"} | {"local"}
    assert providers == {
        extra
        for extra, needs in extras.items()
        if any(one.startswith("sandbox-agent-server~=") for one in needs)
    }


def tree_of_errors() -> list[type[SandboxAgentError]]:
    def leaves(cls: type[SandboxAgentError]) -> list[type[SandboxAgentError]]:
        return [cls, *(leaf for child in cls.__subclasses__() for leaf in leaves(child))]

    return [cls for cls in leaves(SandboxAgentError) if cls.__module__.startswith(errors.__name__)]


def test_every_error_has_its_own_code() -> None:
    _root, *ours = tree_of_errors()
    assert len({cls.code for cls in ours}) == len(ours)
    assert {cls.code for cls in ours} <= set(error_classes())


def test_every_error_is_exported_and_has_a_name_that_no_event_has() -> None:
    names = {cls.__name__ for cls in tree_of_errors()}
    assert set(errors.__all__) == names
    assert set(sandbox_agent_client.errors.__all__) == names
    assert names <= set(sandbox_agent_client.__all__)
    assert names & {cls.__name__ for cls in EVENT_CLASSES.values()} == set()
    assert len(set(sandbox_agent_client.__all__)) == len(sandbox_agent_client.__all__)


@pytest.mark.parametrize(
    ("imported", "unwanted"),
    [
        ("sandbox_agent_core.events", ["asyncio", "httpx", "starlette", "websockets", "anyio"]),
        # A provider needs no models, and pydantic takes longer to load than all that it needs.
        ("sandbox_agent_core.spi.provider", ["pydantic"]),
        ("sandbox_agent_client", ["sandbox_agent_server", "starlette", "uvicorn"]),
        ("sandbox_agent_docker", ["pydantic", "docker", "requests", "sandbox_agent_client"]),
        ("sandbox_agent_e2b", ["pydantic", "e2b", "httpx", "sandbox_agent_client"]),
        ("sandbox_agent_daytona", ["pydantic", "daytona", "aiohttp", "sandbox_agent_client"]),
        ("sandbox_agent_modal", ["pydantic", "modal", "grpclib", "sandbox_agent_client"]),
        ("sandbox_agent_vercel", ["pydantic", "vercel", "httpx2", "sandbox_agent_client"]),
        ("sandbox_agent_cloudflare", ["pydantic", "httpx", "sandbox_agent_client"]),
        ("sandbox_agent_ray", ["ray"]),
        ("sandbox_agent_postgres", ["httpx", "sandbox_agent_client"]),
        (
            "sandbox_agent_kubernetes",
            ["pydantic", "kubernetes", "urllib3", "websockets", "sandbox_agent_client"],
        ),
        ("sandbox_agent_server.app", ["sandbox_agent_client", "httpx"]),
    ],
)
def test_importing_a_package_loads_nothing_it_may_not_use(
    imported: str, unwanted: list[str]
) -> None:
    code = f"import sys, {imported}; print([n for n in {unwanted!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_imports_point_inward() -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert program, "import-linter is in requirements-dev.txt: run `make setup`"
    done = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_no_tracked_file_names_this_machine() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    home = "/" + "root" + "/"
    patterns = ["/" + "work/", home, "registry." + "npmjs.org", "files." + "pythonhosted.org"]
    found = subprocess.run(
        ["git", "grep", "-nIF", *(arg for pattern in patterns for arg in ("-e", pattern))],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert found.stdout == ""


def test_agents_are_tested_in_the_versions_that_are_installed() -> None:
    """One data file says both: a second version beside it would be tested and never installed."""
    ours = tomllib.loads((ROOT / "tests/support/agents.toml").read_text(encoding="utf-8"))
    served = VERSIONS.read_text(encoding="utf-8")
    both = ours.keys() & tomllib.loads(served).keys()
    assert {"claude", "codex", "opencode", "pi"} <= both
    assert {name for name in both if ours[name].keys() != {"when"}} == set()
    assert load_pins().keys() == ours.keys()
