"""Snapshots with the server and agents inside: made of a sandbox, and used by default afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import SandboxAgent, errors
from sandbox_agent_client.sandboxes.wheels import server_wheels
from sandbox_agent_core.spi.images import ImageSpec, image_name
from sandbox_agent_daytona import DaytonaProvider, images
from sandbox_agent_daytona.options import SandboxOptions
from support.fakes.daytona import API_KEY, FakeDaytona
from support.ports import free_port
from support.wheelhouse import installed_wheelhouse

SPEC = ImageSpec(
    wheels=server_wheels(),
    wheelhouse=installed_wheelhouse(),
    settings={"PIP_INDEX_URL": "http://user:pa55word@127.0.0.1:1/simple"},
)
DEFAULT = f"{image_name(server_wheels())}-"


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[FakeDaytona]:
    """Daytona's own snapshot has no server."""
    with FakeDaytona(tmp_path / "daytona", has_server=False).running() as fake:
        yield fake


def provider_of(fake: FakeDaytona, **options: Any) -> DaytonaProvider:
    given = {"api_key": API_KEY, "api_url": fake.api_url, "server_port": free_port()}
    return DaytonaProvider(**{**given, **options})


@pytest.mark.slow
async def test_a_snapshot_is_made_once_and_used_by_default(bare: FakeDaytona) -> None:
    provider, lines = provider_of(bare), list[str]()
    image = await provider.build_image(replace(SPEC, report=lines.append))
    assert image.name == f"{DEFAULT}{SPEC.digest}"
    assert (image.is_default, image.is_new) == (True, True)
    assert any("installing the server" in line for line in lines)
    assert bare.boxes == {}
    saved = bare.snapshots[image.name].saved.directory
    assert not [f for f in saved.rglob("*") if f.is_file() and b"pa55word" in f.read_bytes()]
    assert not (saved / ".sandbox-agent" / "wheels").exists()

    # What was not used for a while is put aside by Daytona.
    bare.snapshots[image.name].state = "inactive"
    again = await provider.build_image(SPEC)
    assert (again.name, again.is_new, bare.calls["create"]) == (image.name, False, 1)
    bare.snapshots[image.name].state = "inactive"
    steps: list[str] = []
    async with SandboxAgent.start(provider, report=steps.append) as client:
        assert (await client.health()).status == "ok"
        (box,) = bare.boxes.values()
        assert box.wanted.snapshot == image.name
    assert not [step for step in steps if "installing" in step]
    assert bare.calls["activate_snapshot"] == 2


async def test_what_was_used_before_gives_way_to_what_is_built(
    daytona: FakeDaytona, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = without_installing(daytona, monkeypatch)
    daytona.page_size = 1
    spec = ImageSpec(wheels=server_wheels())
    first = await provider.build_image(spec)
    # A name that is given has no room for what went in: what had it is made anew.
    older = daytona.snapshots["mine"] = replace(
        daytona.snapshots[first.name], name="mine", id="older"
    )
    mine = await provider.build_image(replace(spec, name="mine"))
    assert (mine.name, mine.options, mine.is_default) == ("mine", {"snapshot": "mine"}, False)
    assert mine.is_new
    assert daytona.snapshots["mine"] is not older
    second = await provider.build_image(replace(spec, agents=["mock"]))
    (only,) = await provider.list_images(wheels=server_wheels())
    assert (only.name, only.is_default) == (second.name, True)
    assert first.name != second.name
    await provider.remove_image(second.name)
    await provider.remove_image(second.name)
    assert [*daytona.snapshots] == ["mine"]
    assert daytona.boxes == {}


async def test_a_failure_leaves_neither_sandbox_nor_snapshot(
    bare: FakeDaytona, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = provider_of(bare)
    with pytest.raises(errors.ProviderError, match="could not be installed") as caught:
        await provider.build_image(replace(SPEC, wheelhouse=SPEC.wheelhouse[-1:]))
    assert caught.value.details["log"]
    assert (bare.boxes, bare.snapshots) == ({}, {})
    bare.next_snapshot_state = "error"
    provider = without_installing(bare, monkeypatch)
    with pytest.raises(errors.ProviderError, match="its disk is full"):
        await provider.build_image(ImageSpec(wheels=server_wheels()))
    assert bare.boxes == {}
    assert await provider.list_images(wheels=server_wheels()) == []


@pytest.mark.parametrize("wrong", [{"packages": ["jq"]}, {"memory_mb": 4096}, {"cpus": 2}])
async def test_what_cannot_be_is_refused_before_anything_is_made(
    daytona: FakeDaytona, wrong: dict[str, Any]
) -> None:
    with pytest.raises(errors.InvalidRequest, match="--base"):
        await provider_of(daytona).build_image(ImageSpec(wheels=server_wheels(), **wrong))
    assert daytona.calls["create"] == 0


def test_an_image_gets_the_memory_that_its_agents_need() -> None:
    wanted = ImageSpec(agents=["claude"], base="python:3.12")
    options, spec = SandboxOptions(snapshot="mine", internet=False).to_build(wanted)
    assert (options.image, options.snapshot, options.memory_gb) == ("python:3.12", None, 4)
    assert (options.internet, spec.memory_mb) == (True, 4096)
    options, spec = SandboxOptions(image="node:22", memory_gb=2, cpu=3).to_build(
        replace(wanted, base=None)
    )
    assert (spec.base, options.memory_gb, spec.cpus) == ("node:22", 2, 3)


def without_installing(fake: FakeDaytona, monkeypatch: pytest.MonkeyPatch) -> DaytonaProvider:
    """What is installed is nothing to those who ask what becomes of it."""

    async def nothing(*_args: Any, **_options: Any) -> None: ...

    monkeypatch.setattr("sandbox_agent_daytona.images.LOOK_S", 0.01)
    monkeypatch.setattr("sandbox_agent_daytona.provider.install_image", nothing)
    return provider_of(fake, server_port=2468)


async def test_the_oldest_sdk_has_another_name_for_it() -> None:
    asked: list[str] = []

    class Oldest:
        id = "box"

        async def _experimental_create_snapshot(self, name: str, timeout: float) -> None:
            asked.append(name)

    oldest: Any = Oldest()
    await images.take(oldest, "mine")
    assert asked == ["mine"]
