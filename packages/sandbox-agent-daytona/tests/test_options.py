"""The caller's options as parameters of Daytona's SDK, without Daytona."""

from __future__ import annotations

import pytest
from daytona import CreateSandboxFromImageParams, CreateSandboxFromSnapshotParams, Image
from sandbox_agent_daytona.options import (
    BUILD_TIMEOUT_S,
    CREATE_TIMEOUT_S,
    SandboxOptions,
    to_minutes,
)


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(0, 0), (0.5, 1), (60, 1), (61, 2), (3600, 60), (90000, 1500)]
)
def test_minutes_are_rounded_up_and_never_stays_never(seconds: float, minutes: int) -> None:
    assert to_minutes(seconds) == minutes


def test_without_options_the_default_snapshot_is_private_and_does_not_stop() -> None:
    options = SandboxOptions()
    made = options.parameters(name="n", labels={"a": "b"})
    assert isinstance(made, CreateSandboxFromSnapshotParams)
    assert (made.name, made.labels, made.snapshot) == ("n", {"a": "b"}, None)
    assert (made.public, made.auto_stop_interval, made.ttl_minutes) == (False, 0, 0)
    assert made.network_block_all is None
    assert (options.source, options.create_timeout_s) == ("the default snapshot", CREATE_TIMEOUT_S)


def test_an_image_may_be_built_and_has_resources() -> None:
    image = Image.base("debian:12").run_commands("true")
    options = SandboxOptions(image=image, cpu=2, disk_gb=10, internet=False)
    made = options.parameters(name="n", labels={})
    assert isinstance(made, CreateSandboxFromImageParams)
    assert made.image is image
    assert made.resources is not None
    assert (made.resources.cpu, made.resources.disk, made.resources.memory) == (2, 10, None)
    assert made.network_block_all is True
    assert options.create_timeout_s == BUILD_TIMEOUT_S


def test_options_of_the_caller_win_but_our_labels_stay() -> None:
    given = {"name": "mine", "labels": {"a": "theirs", "c": "d"}, "ephemeral": True}
    made = SandboxOptions(create_options=given).parameters(name="n", labels={"a": "ours"})
    assert (made.name, made.labels) == ("mine", {"a": "ours", "c": "d"})
    assert made.auto_delete_interval == 0
