"""Many options of a command as one object, so that its function has one parameter for them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

__all__ = ["takes_flags"]

Command = Callable[..., None]


def takes_flags(cls: type[Any]) -> Callable[[Command], Command]:
    """The command is called with all options of a dataclass as one: `flags`."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_flags(**given: Any) -> None:
            names = {one.name for one in fields(cls)}
            flags = cls(**{name: value for name, value in given.items() if name in names})
            command(
                flags=flags, **{name: value for name, value in given.items() if name not in names}
            )

        hints = get_type_hints(command, include_extras=True)
        own = [
            parameter.replace(annotation=hints[parameter.name])
            for parameter in inspect.signature(command).parameters.values()
            if parameter.name != "flags"
        ]
        shared = get_type_hints(cls, include_extras=True)
        more = [
            inspect.Parameter(
                one.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if one.default is MISSING else one.default,
                annotation=shared[one.name],
            )
            for one in fields(cls)
        ]
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + more
        with_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_flags.__annotations__ = {one.name: one.annotation for one in parameters}
        return with_flags

    return decorate
