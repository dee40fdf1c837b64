"""Snapshots with the server and agents inside: each kept by a stopped sandbox, and used by default afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_client import SandboxAgent, errors
from sandbox_agent_client.sandboxes.wheels import server_wheels
from sandbox_agent_core.spi.images import ImageSpec, image_name
from sandbox_agent_vercel import VercelProvider
from support.fakes.vercel import PROJECT, TEAM, TOKEN, FakeVercel
from support.ports import free_port
from support.wheelhouse import installed_wheelhouse

SPEC = ImageSpec(wheels=server_wheels())
DEFAULT = image_name(server_wheels())


def provider_of(fake: FakeVercel, **options: Any) -> VercelProvider:
    given = {"base_url": fake.url, "token": TOKEN, "team_id": TEAM, "project_id": PROJECT}
    return VercelProvider(**{**given, **options})


@pytest.mark.slow
async def test_a_snapshot_is_made_once_and_used_by_default(tmp_path: Path) -> None:
    settings = {"PIP_INDEX_URL": "http://user:pa55word@127.0.0.1:1/simple"}
    spec = replace(SPEC, wheelhouse=installed_wheelhouse(), settings=settings)
    # Vercel's own image has no server.
    with FakeVercel(tmp_path, has_server=False).running() as fake:
        provider, lines = provider_of(fake, server_port=free_port(), internet=False), list[str]()
        image = await provider.build_image(replace(spec, report=lines.append))
        assert (image.name, image.is_default, image.is_new) == (DEFAULT, True, True)
        assert any("installing the server" in line for line in lines)
        (box,) = fake.boxes.values()
        (snapshot,) = fake.snapshots.values()
        assert box.status == "stopped"
        # No sweep of sandboxes finds it.
        assert await provider.list() == []
        (body,) = [body for kind, body in fake.bodies if kind == "create"]
        assert "networkPolicy" not in body
        files = [file for file in snapshot.saved.directory.rglob("*") if file.is_file()]
        assert not [file for file in files if b"pa55word" in file.read_bytes()]

        again = await provider.build_image(spec)
        assert (again.name, again.is_new, fake.calls["create"]) == (image.name, False, 1)
        steps: list[str] = []
        async with SandboxAgent.start(provider, report=steps.append) as client:
            assert (await client.health()).status == "ok"
        (_, body) = [body for kind, body in fake.bodies if kind == "create"]
        assert body["source"] == {"type": "snapshot", "snapshotId": snapshot.id}
        assert "image" not in body
        assert not [step for step in steps if "installing" in step]
        # It outlives the sandbox that was made from it.
        assert [*fake.snapshots] == [snapshot.id]


async def test_what_was_used_before_gives_way_to_what_is_built(
    vercel: FakeVercel, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = without_installing(vercel, monkeypatch)
    mine = await provider.build_image(replace(SPEC, name="mine"))
    assert (mine.options, mine.is_default) == ({"snapshot": "mine"}, False)
    assert not (await provider.build_image(replace(SPEC, name="mine"))).is_new
    assert (await provider.build_image(replace(SPEC, name="mine", agents=["mock"]))).is_new
    await provider.build_image(SPEC)
    listed = await provider.list_images(wheels=server_wheels())
    assert sorted((one.name, one.is_default) for one in listed) == [
        ("mine", False),
        (DEFAULT, True),
    ]
    assert len(vercel.snapshots) == len(vercel.boxes) == 2
    await provider.remove_image("mine")
    await provider.remove_image("mine")
    await provider.remove_image(DEFAULT)
    assert (vercel.boxes, vercel.snapshots) == ({}, {})


async def test_a_snapshot_is_started_from_by_name_or_by_id(
    vercel: FakeVercel, monkeypatch: pytest.MonkeyPatch
) -> None:
    await without_installing(vercel, monkeypatch).build_image(replace(SPEC, name="mine"))
    (id_,) = vercel.snapshots
    for wanted in ("mine", id_):
        async with SandboxAgent.start(provider_of(vercel, snapshot=wanted)):
            created = [body for kind, body in vercel.bodies if kind == "create"]
            assert created[-1]["source"]["snapshotId"] == id_
    # Vercel deletes what was not used for long.
    vercel.snapshots.clear()
    with pytest.raises(errors.InvalidRequest, match="image build"):
        await SandboxAgent.start(provider_of(vercel, snapshot="mine"))
    with pytest.raises(errors.InvalidRequest, match="either image or snapshot"):
        provider_of(vercel, snapshot="mine", image="other")
    assert (
        await without_installing(vercel, monkeypatch).build_image(replace(SPEC, name="mine"))
    ).is_new


async def test_what_fails_leaves_nothing_behind(
    vercel: FakeVercel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(errors.InvalidRequest, match="--base"):
        await provider_of(vercel).build_image(replace(SPEC, packages=["jq"]))
    assert vercel.calls["create"] == 0
    provider = without_installing(vercel, monkeypatch)
    vercel.faults["update"] = [500]
    with pytest.raises(errors.ProviderUnavailable):
        await provider.build_image(SPEC)
    assert (vercel.boxes, vercel.snapshots) == ({}, {})


def without_installing(fake: FakeVercel, monkeypatch: pytest.MonkeyPatch) -> VercelProvider:
    """What is installed is nothing to those who ask what becomes of it."""

    async def nothing(*_args: Any, **_options: Any) -> None: ...

    monkeypatch.setattr("sandbox_agent_vercel.provider.install_image", nothing)
    monkeypatch.setattr("sandbox_agent_vercel.sandboxes.TRANSITION_LOOK_S", 0.01)
    return provider_of(fake)
