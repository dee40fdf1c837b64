"""The prompt on the command line or on stdin: any text, in any encoding, also one that begins with a dash."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from sandbox_agent_client.cli.commands import Command
from sandbox_agent_client.cli.exit_codes import ExitCode

__all__ = ["PromptCommand", "read_prompt"]

FROM_STDIN = "-"


class PromptCommand(Command):
    """A command of which an argument such as `- [ ] todo` is the prompt, not an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        names = {name for param in self.params for name in param.opts}
        return super().parse_args(ctx, _dashes_last(args, names))


def read_prompt(argument: str) -> str:
    """Bytes that are not UTF-8 are U+FFFD: a diff of an old file has some.

    Raises:
        typer.BadParameter: there is nothing in it, which is said before a sandbox is made.
    """
    text = _stdin() if argument == FROM_STDIN else os.fsencode(argument).decode("utf-8", "replace")
    if not text.strip():
        raise typer.BadParameter("the prompt is empty")
    return text


def _stdin() -> str:
    if sys.stdin is None:
        raise typer.BadParameter("the prompt shall come from stdin, which is closed")
    try:
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    except KeyboardInterrupt:
        raise typer.Exit(int(ExitCode.CANCELLED)) from None


def _dashes_last(args: Sequence[str], options: Iterable[str]) -> list[str]:
    """The arguments with a text that looks like an option behind a `--`."""
    if "--" in args:
        return list(args)
    prompts = [arg for arg in args if _is_prompt(arg, options)]
    others = [arg for arg in args if not _is_prompt(arg, options)]
    return [*others, "--", *prompts] if prompts else others


def _is_prompt(arg: str, options: Iterable[str]) -> bool:
    words = arg.split(maxsplit=1)
    return (
        arg.startswith("-") and len(words) == 2 and "=" not in words[0] and words[0] not in options
    )
