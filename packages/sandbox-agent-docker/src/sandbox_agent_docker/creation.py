"""A container that does not run yet: for whom it is, as what is mounted says, and with what its image lacks for them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sandbox_agent_docker import containers
from sandbox_agent_docker.accounts import GROUP_FILE, PASSWD_FILE, Accounts
from sandbox_agent_docker.archive import Owner, files_archive
from sandbox_agent_docker.daemon import Daemon
from sandbox_agent_docker.identity import Identity, choose_identity
from sandbox_agent_docker.machine import run_script
from sandbox_agent_docker.options import HOME, ContainerOptions, ImageFacts

__all__ = ["GIT_TRUST", "DaemonFacts", "create_container"]

GIT_FILE = "/etc/gitconfig"
GIT_TRUST = b"[safe]\n\tdirectory = *\n"
"""Git refuses repositories of others, which what is mounted may be. Around these is the sandbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonFacts:
    processors: int
    is_rootless: bool
    is_podman: bool
    """Which gives archives of a container as if all in them were its user's."""

    @classmethod
    def ask(cls, client: Any) -> DaemonFacts:
        said = client.info()
        parts = client.version().get("Components") or ()
        security: Sequence[str] = said.get("SecurityOptions") or ()
        return cls(
            processors=int(said["NCPU"]),
            is_rootless=any(one.startswith("name=rootless") for one in security),
            is_podman=any("Podman" in str(part.get("Name")) for part in parts),
        )


async def create_container(
    daemon: Daemon,
    options: ContainerOptions,
    *,
    image: str,
    image_facts: ImageFacts,
    name: str,
    arguments: Callable[[Identity], Mapping[str, Any]],
    daemon_facts: DaemonFacts,
    report: Callable[[str], None],
) -> str:
    """Its id. Who owns the workspace is asked of the container, because only there the answer is the one that counts;
    so it may be made twice, which takes a moment.

    Raises:
        ProviderError: the daemon refuses it.
    """
    report(f"creating the container {name}")

    def create(identity: Identity, client: Any) -> str:
        return containers.create(
            client,
            image=image,
            name=name,
            arguments=arguments(identity),
            networks=options.networks[1:],
        )

    draft = choose_identity(options, image_facts)
    container_id = await daemon.call(partial(create, draft))
    owner_of = _ask_owner if daemon_facts.is_podman else containers.owner_of
    accounts, owner = await daemon.call(
        partial(_look, container_id, options.workspaces, owner_of), sandbox=container_id
    )
    identity = choose_identity(
        options,
        image_facts,
        accounts=accounts,
        owner=owner,
        is_rootless=daemon_facts.is_rootless,
    )
    if identity.is_the_owners:
        report(f"running as {identity.user}, who owns what is mounted")
    if (identity.user, identity.home) != (draft.user, draft.home):
        await daemon.call(partial(containers.remove, container_id))
        container_id = await daemon.call(partial(create, identity))
    complete = partial(_complete, container_id, options, image_facts, identity, accounts)
    await daemon.call(complete, sandbox=container_id)
    return container_id


def _look(
    container_id: str,
    workspaces: Sequence[str],
    owner_of: Callable[[str, str, Any], Owner | None],
    client: Any,
) -> tuple[Accounts, Owner | None]:
    passwd, group = (
        containers.read_file(container_id, path, client).decode("utf-8", "replace")
        for path in (PASSWD_FILE, GROUP_FILE)
    )
    owners = (owner_of(container_id, path, client) for path in workspaces)
    return Accounts(passwd, group), next((one for one in owners if one is not None), None)


def _ask_owner(container_id: str, path: str, client: Any) -> Owner | None:
    """Of a directory, as what runs in the container sees it, which is started for that."""
    containers.start(container_id, client)
    said = run_script(
        container_id, f"[ -d {shlex.quote(path)} ] && ls -ldn {shlex.quote(path)}", client
    )
    fields = said.stdout.split()
    if said.exit_code != 0 or len(fields) < 4:
        return None
    return Owner(int(fields[2]), int(fields[3]))


def _complete(
    container_id: str,
    options: ContainerOptions,
    image: ImageFacts,
    identity: Identity,
    accounts: Accounts,
    client: Any,
) -> None:
    """Put in what the image does not know: who runs, and that git may trust what is mounted."""
    if options.read_only:
        return
    user = identity.user if identity.user is not None else image.user
    files: dict[str, bytes] = {}
    if uid := accounts.uid_of(user):
        home = identity.home or image.env.get("HOME") or HOME
        known = accounts.with_user(uid, accounts.gid_of(user), home=home)
        if known.passwd != accounts.passwd:
            files[PASSWD_FILE] = known.passwd.encode()
        if known.group != accounts.group:
            files[GROUP_FILE] = known.group.encode()
    if options.mounts:
        files[GIT_FILE] = containers.read_file(container_id, GIT_FILE, client) + GIT_TRUST
    files = {path: content for path, content in files.items() if not options.is_mounted(path)}
    if files:
        contents = {path.lstrip("/"): content for path, content in files.items()}
        archive = files_archive(contents, mode=0o644, owner=Owner(0, 0))
        containers.unpack(container_id, "/", archive, client)
