"""The conformance suite on the providers that need nothing but this machine."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path
from types import ModuleType

import pytest
from sandbox_agent_client import LocalProvider, SandboxRef
from sandbox_agent_client.testing.providers import KillOutside, ProviderConformance
from sandbox_agent_core.provisioning import ServerLayout
from sandbox_agent_core.spi.provider import SandboxProvider
from support.directory_provider import DirectoryProvider

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "custom_provider.py"


class TestLocal(ProviderConformance):
    @pytest.fixture
    def provider(self) -> LocalProvider:
        return LocalProvider()

    @pytest.fixture
    def kill_outside(self) -> KillOutside:
        async def kill(ref: SandboxRef) -> None:
            os.kill(ref.metadata["pid"], signal.SIGKILL)

        return kill


class TestTheExampleOfTheDocs(ProviderConformance):
    @pytest.fixture
    def provider(self) -> SandboxProvider:
        found: SandboxProvider = example().DirectoryProvider()
        return found

    @pytest.fixture
    def provider_source(self) -> str:
        return (
            f"sys.path.insert(0, {str(EXAMPLE.parent)!r})\n"
            "from custom_provider import DirectoryProvider\n"
            "provider = DirectoryProvider()"
        )

    @pytest.fixture
    def kill_outside(self) -> KillOutside:
        async def kill(ref: SandboxRef) -> None:
            os.kill(int(Path(ServerLayout(ref.id).pid).read_text()), signal.SIGKILL)

        return kill


class TestOneThatCanDoEverything(ProviderConformance):
    @pytest.fixture
    def provider(self, tmp_path: Path) -> DirectoryProvider:
        return DirectoryProvider(str(tmp_path))

    @pytest.fixture
    def provider_source(self, tmp_path: Path) -> str:
        return (
            f"sys.path.insert(0, {str(REPOSITORY / 'tests')!r})\n"
            "from support.directory_provider import DirectoryProvider\n"
            f"provider = DirectoryProvider({str(tmp_path)!r})"
        )

    @pytest.fixture
    def kill_outside(self, provider: DirectoryProvider) -> KillOutside:
        async def kill(ref: SandboxRef) -> None:
            pid = provider.server_pid(ref)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)

        return kill


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("custom_provider", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
