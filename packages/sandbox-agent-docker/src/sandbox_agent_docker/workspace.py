"""The directories that the server and its agents write to, where the image does not have them."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from sandbox_agent_core.errors import ProviderError

from sandbox_agent_docker.archive import Owner
from sandbox_agent_docker.machine import QUICK_TIMEOUT_S, ContainerMachine

__all__ = ["prepare_directories"]

_SURVEY = """
id -u && id -g && printf '%s\\n' "$HOME" || exit 1
for path in {paths} "$HOME"; do
  if [ ! -d "$path" ]; then echo "missing=$path"; elif [ ! -w "$path" ]; then echo "closed=$path"; fi
done
"""


async def prepare_directories(
    machine: ContainerMachine,
    *,
    state: str,
    workdir: str,
    is_image_read_only: bool,
    is_the_callers: Callable[[str], bool],
) -> None:
    """Make those that are missing, and give the container's user those that are volumes of ours.

    What the caller has mounted is left alone, except a volume for the server's own files.

    Raises:
        ProviderError: the container cannot be used like this; the message says what to change.
    """
    done = await machine.run(
        _SURVEY.format(paths=f"{shlex.quote(state)} {shlex.quote(workdir)}"),
        timeout_s=QUICK_TIMEOUT_S,
    )
    lines = done.stdout.splitlines()
    if done.exit_code != 0 or len(lines) < 3:
        raise ProviderError(
            f"The container does not run scripts: {done.output or 'it has ended'}",
            provider="docker",
            exitCode=done.exit_code,
        )
    machine.owner = Owner(int(lines[0]), int(lines[1]))
    modes = {state: 0o700, lines[2]: 0o700}
    for kind, _, path in (line.partition("=") for line in dict.fromkeys(lines[3:])):
        is_the_state = path == state
        if is_the_callers(path) and not is_the_state:
            continue
        if kind == "missing" and is_image_read_only:
            raise ProviderError(
                f"read_only: the image has no directory {path!r} and it cannot be made. Make it in the image, "
                "or mount a volume there.",
                provider="docker",
                path=path,
            )
        if kind == "missing" or is_the_state or is_image_read_only:
            await machine.give(
                path, mode=modes.get(path, 0o755), is_image_read_only=is_image_read_only
            )
