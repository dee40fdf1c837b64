"""Who the server and its agents are in a container: the owner of what they work on, where nothing else is said. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox_agent_docker.accounts import Accounts
from sandbox_agent_docker.archive import Owner
from sandbox_agent_docker.options import HOME, USER, ContainerOptions, ImageFacts

__all__ = ["Identity", "choose_identity"]

ROOT = "0:0"
UNKNOWN = Accounts()
NOBODY = 65534
"""What a container sees of an owner that has no number in it."""
FIRST_PERSON = 1000
"""Accounts below it belong to services, whose homes are no places to work in."""


@dataclass(frozen=True, slots=True)
class Identity:
    user: str | None = None
    """None: the image's own."""
    home: str | None = None
    """What `HOME` is set to. None: as the image, or its accounts, have it."""
    is_the_owners: bool = False
    """It was chosen for the owner of what is mounted."""


def choose_identity(
    options: ContainerOptions,
    image: ImageFacts,
    *,
    accounts: Accounts = UNKNOWN,
    owner: Owner | None = None,
    is_rootless: bool = False,
) -> Identity:
    """`owner`: of the mounted workspace, as the container sees it. `is_rootless`: root in a container is
    the daemon's own user outside, who has no power."""
    chosen = _owners_user(options, image, accounts, owner, is_rootless=is_rootless)
    user = chosen or _user(options, image)
    return Identity(user, _home(user, image, accounts), is_the_owners=chosen is not None)


def _user(options: ContainerOptions, image: ImageFacts) -> str | None:
    if options.user is not None:
        return options.user
    if "user" in options.create_options:
        return str(options.create_options["user"])
    return USER if options.hardened and image.is_root else None


def _owners_user(
    options: ContainerOptions,
    image: ImageFacts,
    accounts: Accounts,
    owner: Owner | None,
    *,
    is_rootless: bool,
) -> str | None:
    is_told = options.user is not None or "user" in options.create_options
    if is_told or not options.hardened or owner is None or owner.uid == NOBODY:
        return None
    if owner.uid == 0:
        return ROOT if is_rootless else None
    if not image.is_root and accounts.uid_of(image.user) == owner.uid:
        return None
    return f"{owner.uid}:{owner.gid}"


def _home(user: str | None, image: ImageFacts, accounts: Accounts) -> str | None:
    # One that the image sets stays, because people mount into it; it is given to who runs.
    if user is None or "HOME" in image.env:
        return None
    if (account := accounts.find(user)) is not None:
        is_a_persons = account.uid == 0 or account.uid >= FIRST_PERSON
        return account.home if is_a_persons else HOME
    return HOME if accounts.uid_of(user) else None
