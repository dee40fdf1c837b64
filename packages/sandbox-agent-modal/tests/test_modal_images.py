"""Images with the server and agents inside: built of layers, kept by Modal, and found again by their name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_agent_client import SandboxAgent, errors
from sandbox_agent_client.sandboxes.wheels import inspector_wheels, server_wheels
from sandbox_agent_core.spi.images import ImageSpec, image_name
from support.fakes.modal import FakeModal
from support.fakes.modal_provider import ThroughTheFake


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeModal]:
    """No image has a server unless it was put there."""
    with FakeModal(tmp_path, has_server=False).running() as fake:
        monkeypatch.setenv("MODAL_SERVER_URL", fake.url)
        monkeypatch.setenv("MODAL_CONFIG_PATH", str(tmp_path / "no-config.toml"))
        yield fake


def commands_of(fake: FakeModal) -> list[str]:
    """Of the image of the newest sandbox."""
    *_, box = fake.boxes.values()
    return [
        c.removeprefix("RUN ")
        for c in fake.images[box.request.definition.image_id].commands
        if c.startswith("RUN ") and "sandbox-agent-build" in c
    ]


async def test_the_first_start_builds_an_image_and_the_second_finds_it(bare: FakeModal) -> None:
    async with SandboxAgent.start(ThroughTheFake()) as client:
        assert (await client.health()).status == "ok"
    built = bare.calls["built"]
    assert built > 3
    server, finish = commands_of(bare)
    assert server.startswith(
        "sh /opt/sandbox-agent-build/build.sh server /opt/sandbox-agent-build/"
    )
    assert finish.endswith(" finish")
    async with SandboxAgent.start(ThroughTheFake()):
        pass
    assert bare.calls["built"] == built
    # An agent is another layer, on those that there are.
    await ThroughTheFake().build_image(
        ImageSpec(agents=["pi"], wheels=server_wheels(), inspector=inspector_wheels(), name="other")
    )
    assert bare.calls["built"] == built + 2


async def test_what_was_built_on_purpose_is_used_by_default(bare: FakeModal) -> None:
    spec = ImageSpec(
        agents=["claude"], wheels=server_wheels(), settings={"PIP_INDEX_URL": "http://x"}
    )
    first = await ThroughTheFake().build_image(spec)
    assert (first.name, first.is_default, first.is_new) == (image_name(server_wheels()), True, True)
    assert {"PIP_INDEX_URL": "http://x"} in bare.build_environments, "and in no layer"
    assert not any("http://x" in c for one in bare.images.values() for c in one.commands)
    async with SandboxAgent.start(ThroughTheFake()):
        assert any(command.endswith("agent claude") for command in commands_of(bare))
    (listed,) = await ThroughTheFake().list_images(wheels=server_wheels())
    assert listed.name == first.name
    async with SandboxAgent.start(ThroughTheFake(**first.options)):
        assert any(command.endswith("agent claude") for command in commands_of(bare))
    with pytest.raises(errors.InvalidRequest, match="modal image names delete"):
        await ThroughTheFake().remove_image(first.name)


async def test_an_image_that_does_not_build_says_where_its_words_are(bare: FakeModal) -> None:
    bare.refused_command = "build.sh server"
    with pytest.raises(errors.ProviderError, match="npm: not found"):
        await SandboxAgent.start(ThroughTheFake())
    assert bare.alive == []


async def test_a_snapshot_is_an_image_to_start_from(modal: FakeModal) -> None:
    provider = ThroughTheFake(env={"SECRET": "hush"})
    async with SandboxAgent.start(provider) as client:
        (box,) = modal.alive
        environment = box.machine.home / ".sandbox-agent" / "environment"
        before = environment.read_text()
        (box.machine.home / "work.txt").write_text("done so far")
        image = await client.sandbox.snapshot(name="checkpoint")
        assert image.options == {"image": "modal:checkpoint"}
        nameless = await client.sandbox.snapshot()
        assert nameless.name.startswith("im-")
        assert environment.read_text() == before
        assert (await client.health()).status == "ok"
    assert not [
        f for f in modal.root.glob("snapshot-*/**/*") if f.is_file() and b"hush" in f.read_bytes()
    ]
    for made in (image, nameless):
        async with SandboxAgent.start(ThroughTheFake(**made.options)) as client:
            (box,) = modal.alive
            assert (box.machine.home / "work.txt").read_text() == "done so far"
            assert (await client.health()).status == "ok"
