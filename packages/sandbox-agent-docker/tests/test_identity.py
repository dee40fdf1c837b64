"""Who runs in a container, by what is mounted, what the image says and what its accounts know."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_docker.accounts import Accounts
from sandbox_agent_docker.archive import Owner
from sandbox_agent_docker.identity import Identity, choose_identity
from sandbox_agent_docker.options import HOME, USER, ContainerOptions, ImageFacts

PERSON = Owner(1001, 1002)
ROOT = Owner(0, 0)
ACCOUNTS = Accounts(
    passwd="root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\nnode:x:1000:1000::/home/node:/bin/bash\n",
    group="root:x:0:\nnode:x:1000:\n",
)
OURS = ImageFacts(user="node", env={"HOME": "/home/node"})


def who(image: ImageFacts = ImageFacts(), **options: Any) -> Identity:  # noqa: B008 - frozen
    known = {name: options.pop(name) for name in ("owner", "is_rootless") if name in options}
    return choose_identity(ContainerOptions(**options), image, accounts=ACCOUNTS, **known)


def test_the_owner_of_the_workspace_runs() -> None:
    assert who(owner=PERSON) == Identity("1001:1002", HOME, is_the_owners=True)
    # The image's HOME is kept, because people mount into it.
    assert who(OURS, owner=PERSON) == Identity("1001:1002", None, is_the_owners=True)


def test_an_image_whose_user_is_the_owner_is_left_as_it_is() -> None:
    assert who(OURS, owner=Owner(1000, 1000)) == Identity()


@pytest.mark.parametrize("owner", [None, ROOT, Owner(65534, 65534)])
def test_root_and_nobody_are_not_made_of_an_owner(owner: Owner | None) -> None:
    assert who(owner=owner).user == USER
    assert who(OURS, owner=owner) == Identity()


def test_where_root_has_no_power_outside_the_owner_is_root_inside() -> None:
    assert who(owner=ROOT, is_rootless=True).user == "0:0"
    assert who(OURS, owner=ROOT, is_rootless=True).user == "0:0"


@pytest.mark.parametrize(
    "options", [{"user": "33"}, {"create_options": {"user": "33"}}], ids=["user", "create_options"]
)
def test_a_user_that_is_given_wins(options: dict[str, Any]) -> None:
    assert who(owner=PERSON, **options).user == "33"


def test_without_hardening_nobody_is_chosen() -> None:
    assert who(owner=PERSON, hardened=False) == Identity()


def test_a_person_of_the_image_has_that_home_and_others_have_one_made() -> None:
    assert who().home == "/home/node"
    assert who(user="0").home == "/root"
    assert who(user="33").home == HOME
    assert who(user="4711").home == HOME


def test_accounts_are_completed_by_who_is_not_known() -> None:
    done = ACCOUNTS.with_user(1001, 1002, home="/home/x")
    assert done.passwd == ACCOUNTS.passwd + "agent:x:1001:1002::/home/x:/bin/sh\n"
    assert done.group == ACCOUNTS.group + "agent:x:1002:\n"
    again = Accounts(done.passwd.rstrip("\n"), done.group).with_user(1003, 1002, home="/h")
    assert again.passwd == done.passwd + "agent-1003:x:1003:1002::/h:/bin/sh\n"
    assert again.group == done.group
    assert ACCOUNTS.with_user(1000, 1000, home="/h") == ACCOUNTS


def test_the_group_is_the_one_that_docker_gives() -> None:
    assert [ACCOUNTS.gid_of(user) for user in ("1001", "1001:7", "node", "1001:node")] == [
        0,
        7,
        1000,
        1000,
    ]


def test_the_workspace_is_the_workdir_or_what_else_is_mounted_to_be_written() -> None:
    mounts = {"/a": "/workspace", "/b": "/b"}
    assert ContainerOptions(mounts=mounts).workspaces == ["/workspace"]
    assert ContainerOptions(mounts=mounts, workdir="/workspace/x").workspaces == ["/workspace/x"]
    other = {"/ro": "/ro:ro", "cache": "/cache", "/b": "/b", "/c": "/c"}
    assert ContainerOptions(mounts=other).workspaces == ["/b", "/c"]
