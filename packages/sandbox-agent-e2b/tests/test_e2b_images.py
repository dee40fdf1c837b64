"""Templates with the server and agents inside: built by E2B, and used by default afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_agent_client import SandboxAgent, errors
from sandbox_agent_client.sandboxes.wheels import server_wheels
from sandbox_agent_core.spi.images import ImageSpec, image_name
from support.fakes.e2b import FakeE2B
from support.fakes.e2b_provider import ThroughTheFake
from support.ports import free_port

SPEC = ImageSpec(agents=["claude"], wheels=server_wheels(), settings={"PIP_INDEX_URL": "http://x"})


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[FakeE2B]:
    """E2B's own template has no server."""
    with FakeE2B(tmp_path / "e2b", path="/usr/bin:/bin").running() as running:
        yield running


@pytest.fixture
def provider(bare: FakeE2B) -> ThroughTheFake:
    return ThroughTheFake(bare.url, server_port=free_port())


async def test_a_template_is_built_as_root_from_our_files_and_used_by_default(
    bare: FakeE2B, provider: ThroughTheFake
) -> None:
    image = await provider.build_image(SPEC)
    assert image.name == image_name(server_wheels()).replace(".", "-")
    assert (image.is_default, image.is_new) == (True, True)
    template = bare.templates[image.name]
    # Four gigabytes, because that is what the agent needs.
    assert (template.request["cpuCount"], template.request["memoryMB"]) == (2, 4096)
    steps = [(step["type"], *step["args"][:2]) for step in template.steps]
    assert steps[0] == ("USER", "root")
    runs = [step[1] for step in steps if step[0] == "RUN"]
    assert all(step[2] == "root" for step in steps if step[0] == "RUN")
    assert runs[0].startswith("if command -v apt-get")
    assert runs[-2].endswith("build.sh agent claude")
    assert "env PIP_INDEX_URL=http://x sh" in runs[-2]
    assert steps[-2:] == [("USER", "user"), ("WORKDIR", "/home/user")]
    assert len(bare.uploads) == 1
    async with SandboxAgent.start(provider) as client:
        assert (await client.health()).status == "ok"
    assert [body["templateID"] for kind, body in bare.bodies if kind == "create"] == [image.name]


async def test_it_is_built_again_when_something_has_changed(
    bare: FakeE2B, provider: ThroughTheFake
) -> None:
    lines: list[str] = []
    await provider.build_image(ImageSpec(wheels=server_wheels(), report=lines.append))
    assert any("build.sh server" in line for line in lines)
    assert not (await provider.build_image(ImageSpec(wheels=server_wheels()))).is_new
    assert (await provider.build_image(SPEC)).is_new
    # What was built before is not what the name means now.
    assert (await provider.build_image(ImageSpec(wheels=server_wheels()))).is_new
    assert bare.calls["template"] == 3
    (listed,) = await provider.list_images(wheels=server_wheels())
    await provider.remove_image(listed.name)
    await provider.remove_image(listed.name)
    assert await provider.list_images(wheels=server_wheels()) == []


async def test_a_step_that_fails_is_an_error_with_the_output(
    bare: FakeE2B, provider: ThroughTheFake
) -> None:
    bare.refused_command = "agent claude"
    with pytest.raises(errors.ProviderError, match="failed to run command") as caught:
        await provider.build_image(SPEC)
    assert "build.sh agent claude" in caught.value.details["log"]
    assert await provider.list_images(wheels=server_wheels()) == []


async def test_a_name_of_another_account_is_none_of_ours(
    bare: FakeE2B, provider: ThroughTheFake
) -> None:
    from sandbox_agent_e2b.images import find

    api = {"api_key": provider._api["api_key"], "api_url": bare.url}
    assert not await find("another-account-template", api=api)
    bare.faults["tags"] = [500]
    with pytest.raises(errors.ProviderError):
        await find("x", api=api)


@pytest.mark.parametrize("refusals", [[], [400]], ids=["files", "with-memory"])
async def test_a_snapshot_is_a_template_to_start_from(
    fake: FakeE2B, e2b: ThroughTheFake, refusals: list[int]
) -> None:
    fake.faults["snapshot"] = [*refusals]
    async with SandboxAgent.start(e2b, env={"SECRET": "hush"}) as client:
        (box,) = fake.boxes.values()
        (box.home / "work.txt").write_text("done so far")
        image = await client.sandbox.snapshot(name="checkpoint")
        assert image.options == {"template": image.name}
        assert "hush" in (box.home / ".sandbox-agent" / "environment").read_text()
        assert (await client.health()).status == "ok"
    sent = [body for kind, body in fake.bodies if kind == "snapshot"]
    assert sent == [{"name": "checkpoint"} | ({} if refusals else {"memory": False})]
    files = fake.templates[image.name].files
    assert files is not None
    assert not [f for f in files.rglob("*") if f.is_file() and b"hush" in f.read_bytes()]
    again = ThroughTheFake(fake.url, server_port=free_port(), **image.options)
    async with SandboxAgent.start(again) as client:
        (box,) = fake.boxes.values()
        assert (box.home / "work.txt").read_text() == "done so far"
        assert (await client.health()).status == "ok"


async def test_a_paused_sandbox_is_not_woken_for_a_snapshot(
    fake: FakeE2B, e2b: ThroughTheFake
) -> None:
    async with SandboxAgent.start(e2b) as client:
        await client.sandbox.pause()
        with pytest.raises(errors.ProviderError) as caught:
            await client.sandbox.snapshot()
        assert caught.value.details["state"] == "paused"
        assert fake.calls["snapshot"] == 0
