"""What a callback has to be, looked at when it is registered: an agent that waits for its answer is too late."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["check_callback", "is_meant_as_answer"]


def check_callback(
    callback: Callable[..., Any], name: str, *, argument: str, may_be_async: bool
) -> None:
    """`name` is the method that takes it, `argument` what it will be called with.

    Raises:
        TypeError: it could not be called, or nothing that it does would ever be waited for.
    """
    if not callable(callback):
        raise TypeError(f"`{name}` takes a function, not {callback!r}.")
    code = _code_of(callback)
    if inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code):
        raise TypeError(f"`{name}` takes a function, not a generator: nothing would run it.")
    if not may_be_async and inspect.iscoroutinefunction(code):
        raise TypeError(
            f"`{name}` takes no `async` function here, because nothing would await it: "
            "write it with `def` and without `await`, or use `SandboxAgent`."
        )
    try:
        signature = inspect.signature(callback)
    except (TypeError, ValueError):
        return  # some built-in functions do not tell
    try:
        signature.bind(object())
    except TypeError as exc:
        raise TypeError(
            f"`{name}` calls its function with one argument, {argument}: {signature} does not take that ({exc})."
        ) from None


def is_meant_as_answer(value: object) -> bool:
    """True for what somebody returns who thinks that a callback answers by it."""
    return isinstance(value, (bool, str, dict, list))


def _code_of(callback: Callable[..., Any]) -> Callable[..., Any]:
    """The function that does the work of a partial or of an object that can be called."""
    while isinstance(callback, partial):
        callback = callback.func
    if inspect.isroutine(callback) or inspect.isclass(callback):
        return callback
    return type(callback).__call__
