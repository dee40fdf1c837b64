"""What Docker is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.spi.labels import OURS
from sandbox_agent_docker.identity import choose_identity
from sandbox_agent_docker.options import HOME, PIDS_LIMIT, USER, ContainerOptions, ImageFacts

STATE = "/var/lib/.sandbox-agent"
ROOT_IMAGE = ImageFacts()
OWN_USER = ImageFacts(user="agent", env={"HOME": "/home/somebody"})


def arguments(image: ImageFacts = ROOT_IMAGE, **options: Any) -> dict[str, Any]:
    wanted = ContainerOptions(**options)
    who = choose_identity(wanted, image)
    return wanted.arguments(
        image,
        state=STATE,
        pid_file=f"{STATE}/pid",
        labels={"mine": "yes"},
        processors=8,
        user=who.user,
        home=who.home,
    )


def test_a_container_is_hardened_by_default() -> None:
    made = arguments()
    assert made["user"] == USER
    assert made["environment"] == {"HOME": HOME}
    assert made["cap_drop"] == ["ALL"]
    assert made["security_opt"] == ["no-new-privileges"]
    assert made["mem_limit"] == made["memswap_limit"] == "4g"
    assert made["nano_cpus"] == 2_000_000_000
    assert made["pids_limit"] == PIDS_LIMIT
    assert made["init"] is True
    assert made["ports"] == {"2468/tcp": ("127.0.0.1", None)}
    assert made["labels"] == {OURS: "1", "mine": "yes"}
    assert not {"privileged", "cap_add", "network_mode", "network"} & made.keys()


def test_without_hardening_only_what_is_asked_for_is_limited() -> None:
    made = arguments(hardened=False, memory="1g")
    assert made["mem_limit"] == "1g"
    assert not {"user", "cap_drop", "security_opt", "nano_cpus", "pids_limit"} & made.keys()


def test_an_image_that_has_a_user_keeps_it() -> None:
    made = arguments(OWN_USER)
    assert "user" not in made
    assert "environment" not in made


@pytest.mark.parametrize("user", ["", "0", "root", "0:0", "root:root"])
def test_every_way_to_say_root_is_root(user: str) -> None:
    assert arguments(ImageFacts(user=user))["user"] == USER


def test_the_users_own_user_wins() -> None:
    assert arguments(user="0")["user"] == "0"
    assert "environment" not in arguments(user="0")
    assert arguments(OWN_USER, user="501:20")["user"] == "501:20"


def test_no_more_processors_are_asked_for_than_there_are() -> None:
    options = ContainerOptions()
    made = options.arguments(ROOT_IMAGE, state=STATE, pid_file="p", labels={}, processors=1)
    assert made["nano_cpus"] == 1_000_000_000


def test_mounts_are_paths_or_volumes(tmp_path: Path) -> None:
    made = arguments(mounts={tmp_path: "/repo", "./here": "/x/:ro", "cache": "/cache:rw"})
    assert made["mounts"] == [
        {"Type": "bind", "Source": str(tmp_path), "Target": "/repo", "ReadOnly": False},
        {"Type": "bind", "Source": str(Path("here").absolute()), "Target": "/x", "ReadOnly": True},
        {"Type": "volume", "Source": "cache", "Target": "/cache", "ReadOnly": False},
    ]


def test_a_read_only_image_gets_volumes_where_something_is_written() -> None:
    made = arguments(read_only=True, mounts={"repo": "/workspace"}, tmpfs={"/scratch": "size=1m"})
    assert made["read_only"] is True
    assert set(made["tmpfs"]) == {"/tmp", "/scratch"}
    targets = [mount["Target"] for mount in made["mounts"] if "Source" not in mount]
    assert targets == [STATE, HOME]


@pytest.mark.parametrize(
    ("gpus", "request_"),
    [
        ("all", {"count": -1}),
        (2, {"count": 2}),
        (["0", "GPU-1"], {"device_ids": ["0", "GPU-1"]}),
    ],
)
def test_gpus(gpus: Any, request_: dict[str, Any]) -> None:
    assert arguments(gpus=gpus)["device_requests"] == [{**request_, "capabilities": [["gpu"]]}]


def test_dockers_own_arguments_are_laid_over_ours() -> None:
    made = arguments(
        create_options={
            "labels": {"more": "yes"},
            "cap_add": ["NET_BIND_SERVICE"],
            "init": False,
            "mounts": [{"Type": "tmpfs", "Target": "/t"}],
        }
    )
    assert made["labels"] == {OURS: "1", "mine": "yes", "more": "yes"}
    assert made["cap_drop"] == ["ALL"]
    assert made["cap_add"] == ["NET_BIND_SERVICE"]
    assert made["init"] is False
    assert made["mounts"] == [{"Type": "tmpfs", "Target": "/t"}]


def test_more_ports_are_published_on_the_same_address() -> None:
    made = arguments(ports={3000: 8080}, server_port=9, publish_address="10.0.0.1")
    assert made["ports"] == {"9/tcp": ("10.0.0.1", None), "3000/tcp": ("10.0.0.1", 8080)}
    assert arguments(ports=[5000])["ports"]["5000/tcp"] == ("127.0.0.1", None)


@pytest.mark.parametrize(
    "options",
    [{"network": "none"}, {"workdir": "here"}],
    ids=["cut off from the server", "relative workdir"],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        ContainerOptions(**options)


def test_a_mount_has_to_be_at_an_absolute_path() -> None:
    with pytest.raises(InvalidRequest):
        arguments(mounts={"cache": "cache"})
