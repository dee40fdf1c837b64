"""Options of providers: checked where they are given, and told apart from what they are called elsewhere."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from sandbox_agent_core.errors import InvalidRequest

__all__ = ["check_create_options", "check_environment", "hint"]

_CALLED_ELSEWHERE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("envs", "env_vars", "environment", "environment_variables"), "env"),
    **dict.fromkeys(("template_id", "snapshot_id"), "template"),
    **dict.fromkeys(("base_image", "docker_image", "image_id"), "image"),
    **dict.fromkeys(("mem", "mem_limit", "memory_limit"), "memory"),
    **dict.fromkeys(("timeout", "timeout_ms", "execution_time_limit"), "lifetime"),
    **dict.fromkeys(("binds", "volumes"), "mounts"),
    **dict.fromkeys(("metadata", "tags"), "labels"),
    **dict.fromkeys(("host", "base_url"), "docker_host"),
    **dict.fromkeys(("cwd", "working_dir", "workspace"), "workdir"),
}
"""What others call our options, in snake case."""
_OF_A_START: Final = ("env", "labels")
"""What `SandboxAgent.start` itself takes, whatever the provider."""
_CREATE: Final = ("create", "create_params", "create_opts", "options")


def hint(name: str, takes: Collection[str]) -> str:
    """A sentence that names ours for an option that there is not; empty when nothing is like it."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    if snake in _CREATE and "create_options" in takes:
        return f" What the SDK's own `create` takes is in `create_options`; variables are in `env={{…}}`, not in `{name}`."
    ours = _CALLED_ELSEWHERE.get(snake, snake)
    if ours in takes or ours in _OF_A_START:
        example = '={"NAME": "value"}' if ours in _OF_A_START else ""
        return f" Use `{ours}{example}`." if ours != name else ""
    close = difflib.get_close_matches(snake, takes, n=1)
    return f" Did you mean `{close[0]}`?" if close else ""


def check_environment(env: object, *, option: str = "env") -> dict[str, str]:
    """Raises: InvalidRequest, without a value in it, for what is no table of names that processes can have."""
    if not isinstance(env, Mapping):
        given = f"not a {type(env).__name__}" if env is not None else "not None"
        raise InvalidRequest(f'`{option}` is a table: `{option}={{"NAME": "value"}}`, {given}.')
    for name, value in env.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise InvalidRequest(f"`{option}`: {name!r} is no name of a variable.")
        if not isinstance(value, str):
            raise InvalidRequest(
                f"`{option}`: the value of {name!r} is text, not {type(value).__name__}."
            )
        if "\0" in value:
            raise InvalidRequest(f"`{option}`: the value of {name!r} has a NUL in it.")
    return dict(env)


def check_create_options(
    given: Mapping[str, Any], takes: Collection[str], *, of: str, ours: Collection[str] = ()
) -> None:
    """`takes`: what the vendor's SDK does. `of`: its call, for people. `ours`: the provider's own options.

    Raises:
        InvalidRequest: it does not take one of them.
    """
    for name in given:
        if name in takes:
            continue
        about = hint(name, {*ours, "env", "labels"}) or hint(name, takes)
        raise InvalidRequest(f"create_options: {of} takes no `{name}`.{about}", option=name)
