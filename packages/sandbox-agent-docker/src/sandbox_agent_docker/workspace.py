"""The directories that the server and its agents write to: made, given to who runs, or refused in words."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from posixpath import join

from sandbox_agent_core.errors import ProviderError

from sandbox_agent_docker.archive import Owner
from sandbox_agent_docker.creation import GIT_TRUST
from sandbox_agent_docker.identity import NOBODY
from sandbox_agent_docker.machine import QUICK_TIMEOUT_S, ContainerMachine
from sandbox_agent_docker.options import ContainerOptions, Mount

__all__ = ["prepare_directories"]

# Some shells say that root may write anywhere, but this one has no power over the files of others: it has to try.
_SURVEY = """
home=$(readlink -f "$HOME" 2>/dev/null || printf '%s' "$HOME")
id -u && id -g && printf '%s\\n' "$home" || exit 1
writable() {{
  [ -w "$1" ] || return 1
  [ "$(id -u)" != 0 ] || {{ (: >"$1/.sandbox-agent-$$") 2>/dev/null && rm -f "$1/.sandbox-agent-$$"; }}
}}
for path in {paths} "$home"; do
  at=$path
  while [ ! -e "$at" ]; do at=$(dirname "$at"); done
  if [ ! -d "$at" ]; then continue; fi
  if [ ! -e "$path" ]; then echo "missing=$path"; fi
  if ! writable "$at"; then echo "closed=$path"; fi
done
"""
_DESCRIBE = 'cd / && at={path}; while [ ! -e "$at" ]; do at=$(dirname "$at"); done; ls -ldn "$at"; ls -A "$at"'


@dataclass(frozen=True, slots=True)
class _Survey:
    user: Owner
    home: str
    missing: Sequence[str]
    closed: Sequence[str]
    """It, or where it would have to be made, cannot be written."""


async def prepare_directories(
    machine: ContainerMachine,
    options: ContainerOptions,
    *,
    state: str,
    report: Callable[[str], None],
) -> None:
    """Make those that are missing, and give the container's user those that are not the caller's, or are
    the caller's new volumes.

    What else the caller has mounted is left alone, except a volume for the server's own files.

    Raises:
        ProviderError: the container cannot be used like this; the message says what to change.
    """
    seen = await _survey(machine, state, options)
    machine.owner = seen.user
    modes = {state: 0o700, seen.home: 0o700}
    for path in dict.fromkeys((*seen.missing, *seen.closed)):
        mount = options.mount_of(path)
        if path == "/" or (options.is_mounted(path) and path != state and mount is None):
            continue
        if mount is not None and path != state:
            if path in seen.closed and not mount.is_read_only:
                await _open_mount(machine, options, path, mount, seen.user, report)
            continue
        if path in seen.missing and options.read_only:
            raise ProviderError(
                f"read_only: the image has no directory {path!r} and it cannot be made. Make it in the image, "
                "or mount a volume there.",
                provider="docker",
                path=path,
            )
        await machine.give(path, mode=modes.get(path, 0o755), is_image_read_only=options.read_only)
    if options.read_only and options.mounts and not options.is_mounted(seen.home):
        # The system's own configuration of git cannot be written.
        await machine.write(join(seen.home, ".gitconfig"), GIT_TRUST, mode=0o644)


async def _survey(machine: ContainerMachine, state: str, options: ContainerOptions) -> _Survey:
    paths = dict.fromkeys((state, options.workdir, *options.writable_mounts))
    script = _SURVEY.format(paths=" ".join(map(shlex.quote, paths)))
    done = await machine.run(script, timeout_s=QUICK_TIMEOUT_S)
    lines = done.stdout.splitlines()
    if done.exit_code != 0 or len(lines) < 3:
        raise ProviderError(
            f"The container does not run scripts: {done.output or 'it has ended'}",
            provider="docker",
            exitCode=done.exit_code,
        )
    found = [line.partition("=") for line in dict.fromkeys(lines[3:])]
    return _Survey(
        Owner(int(lines[0]), int(lines[1])),
        lines[2],
        missing=[path for kind, _, path in found if kind == "missing"],
        closed=[path for kind, _, path in found if kind == "closed"],
    )


async def _open_mount(
    machine: ContainerMachine,
    options: ContainerOptions,
    path: str,
    mount: Mount,
    user: Owner,
    report: Callable[[str], None],
) -> None:
    """Docker makes new volumes for root, or for whom the image has in that place: those are given.

    Raises:
        ProviderError: the workspace cannot be written.
    """
    done = await machine.run(_DESCRIBE.format(path=shlex.quote(path)), timeout_s=QUICK_TIMEOUT_S)
    described, *content = done.stdout.splitlines() or [""]
    fields = described.split()
    mode, owner = (fields[0], ":".join(fields[2:4])) if len(fields) > 3 else ("?", "?")
    if mount.is_volume and not content and path == mount.target:
        await machine.give(path, mode=0o755, is_image_read_only=options.read_only)
        return
    who = f"{user.uid}:{user.gid}"
    what = f"{path!r} (mounted from {mount.source!r}) cannot be written by the sandbox's user {who}"
    why = f"it belongs to {owner}, mode {mode}"
    if path != options.workdir:
        report(f"{what}: {why}")
        return
    raise ProviderError(
        f"The workspace {what}: {why}. {_remedy(mount, owner, who)}",
        provider="docker",
        path=path,
        owner=owner,
        user=who,
    )


def _remedy(mount: Mount, owner: str, who: str) -> str:
    uid = owner.partition(":")[0]
    readable = f"to let agents only read it, mount it as '{mount.target}:ro'"
    if uid == who.partition(":")[0]:
        return (
            "Its owner may not write it: change its mode. Where the daemon's machine has SELinux, give "
            f"create_options={{'security_opt': ['label=disable']}}; {readable}."
        )
    if uid == str(NOBODY):
        return (
            "Its owner has no number in the container, because the daemon maps users: give it to one that has, or "
            f"give create_options={{'userns_mode': 'host'}}; {readable}."
        )
    power = " (root, but without capabilities)" if uid == "0" else ""
    give = (
        ""
        if mount.is_volume
        else f", give it to that user with `chown -R {who} {shlex.quote(mount.source)}`"
    )
    return f"Run as its owner with user='{owner}'{power}{give}, or, {readable}."
