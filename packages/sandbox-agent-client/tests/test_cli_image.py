"""`sandbox-agent image`, of a provider that notes what it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sandbox_agent_client.cli import image as image_module
from sandbox_agent_client.cli.main import app
from sandbox_agent_client.sandboxes.wheels import inspector_wheels
from sandbox_agent_core.errors import ProviderAuthError, ProviderError
from sandbox_agent_core.spi.images import ImageSpec, SandboxImage
from typer.testing import CliRunner, Result


class Builder:
    name = "builder"

    def __init__(self) -> None:
        self.specs: list[ImageSpec] = []
        self.removed: list[str] = []
        self.refusal: ProviderError | None = None

    async def create(self, spec: object) -> None: ...
    async def endpoint(self, ref: object) -> None: ...
    async def destroy(self, ref: object) -> None: ...

    async def build_image(self, spec: ImageSpec) -> SandboxImage:
        spec.report("Step 1 of 1")
        self.specs.append(spec)
        name = spec.name or "the-default"
        return _image(name, is_new=len(self.specs) == 1)

    async def list_images(self, *, wheels: object = ()) -> Sequence[SandboxImage]:
        if self.refusal is not None:
            raise self.refusal
        return [_image("the-default"), _image("mine")]

    async def remove_image(self, name: str) -> None:
        if name == "used":
            raise ProviderError("It is in use.")
        self.removed.append(name)


def _image(name: str, *, is_new: bool = False) -> SandboxImage:
    return SandboxImage(
        provider="builder",
        name=name,
        options={"template": name},
        created_at=datetime.now(UTC) - timedelta(hours=3),
        is_default=name == "the-default",
        is_new=is_new,
    )


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Builder:
    builder = Builder()
    monkeypatch.setattr(image_module, "find_provider", lambda _name, _options=None: builder)
    monkeypatch.setattr(image_module, "installed_providers", lambda: ["builder"])
    return builder


def run(*argv: str | Path) -> Result:
    return CliRunner().invoke(app, ["image", *map(str, argv)])


def test_what_goes_in_is_what_was_said(builder: Builder) -> None:
    done = run(
        *("build", "--agents", "claude,codex", "--packages", "git jq", "--node", "--memory", "2g"),
        *("--cpus", "2", "--base", "b:1", "--build-arg", "PIP_INDEX_URL=http://x/?a=b"),
    )
    assert (done.exit_code, done.stdout) == (0, "the-default\n")
    (spec,) = builder.specs
    assert (spec.agents, spec.packages, spec.base) == (["claude", "codex"], ["git", "jq"], "b:1")
    assert (spec.node, spec.memory_mb, spec.cpus) == (True, 2048, 2)
    assert spec.settings == {"PIP_INDEX_URL": "http://x/?a=b"}
    assert [wheel.filename.split("-")[0] for wheel in spec.wheels] == [
        "sandbox_agent_core",
        "sandbox_agent_server",
    ]
    # Apart from the wheels by which an image is found again, and no wheelhouse: that would be instead of an index.
    assert (spec.inspector, spec.wheelhouse) == (inspector_wheels(), ())
    assert "Step 1 of 1" in done.stderr
    assert 'SandboxAgent.start("builder") uses it by default' in done.stderr


def test_the_second_time_nothing_has_changed(builder: Builder) -> None:
    run("build")
    assert "nothing has changed" in run("build").stderr
    first, second = builder.specs
    assert first.digest == second.digest
    assert first.packages is None


def test_one_with_a_name_of_its_own_says_how_it_is_used(builder: Builder) -> None:
    assert (
        "SandboxAgent.start(\"builder\", template='mine')" in run("build", "--name", "mine").stderr
    )
    assert run("build", "--name", "mine", "-q").stderr == ""


@pytest.mark.parametrize(
    "wrong", [("--memory", "lots"), ("--build-arg", "NO_VALUE"), ("--cpus", "0")], ids=str
)
def test_what_cannot_be_is_usage(builder: Builder, wrong: Sequence[str]) -> None:
    assert run("build", *wrong).exit_code == 2
    assert builder.specs == []


def test_without_a_server_here_there_is_nothing_to_put_in(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_module, "server_wheels", lambda: ())
    done = run("build")
    assert done.exit_code == 5
    assert "pip install sandbox-agent-server" in done.stderr
    assert run("build", "--from-index").exit_code == 0


def test_images_are_listed_for_people_and_for_programs(builder: Builder) -> None:
    lines = run("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["provider", "builder", "builder"]
    assert "*" in lines[1]
    assert "3h ago" in lines[1]
    wire = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert [(one["name"], one["isDefault"]) for one in wire] == [
        ("the-default", True),
        ("mine", False),
    ]
    assert wire[1]["options"] == {"template": "mine"}


def test_a_provider_that_nobody_uses_is_not_complained_of(builder: Builder) -> None:
    builder.refusal = ProviderAuthError("There is no key.")
    done = run("list")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "No images.\n", "")
    assert "There is no key" in run("list", "--provider", "builder").stderr


def test_what_cannot_be_removed_is_said_and_the_rest_is_removed(builder: Builder) -> None:
    done = run("remove", "used", "mine")
    assert done.exit_code == 5
    assert "It is in use." in done.stderr
    assert builder.removed == ["mine"]


def test_a_provider_without_images_names_those_that_have_them() -> None:
    done = run("build", "--provider", "local")
    assert done.exit_code != 0
    assert "docker" in done.stderr
    assert run("dockerfile").stdout.startswith("# A full image")
