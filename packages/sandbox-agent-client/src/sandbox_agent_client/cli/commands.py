"""What all commands have in common: how their help looks, and that it says no type where a flag takes no value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

__all__ = ["Command", "Commands", "Group"]

F = TypeVar("F", bound=Callable[..., Any])


class Command(TyperCommand):
    """Its help is plain: a table with frames leaves the explanations of many options a few letters a line."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **{**settings, "rich_markup_mode": None})

    def get_params(self, ctx: Any) -> list[Any]:
        return _in_words(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        arguments = [one for one in self.get_params(ctx) if one.param_type_name == "argument"]
        return ["[OPTIONS]", *map(_in_usage, arguments)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        arguments, options = [], []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None:
                continue
            if param.param_type_name == "argument":
                arguments.append((_name(param), record[1].removesuffix("  [required]")))
            else:
                options.append(record)
        for title, records in (("Arguments", arguments), ("Options", options)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _in_words(super().get_params(ctx))


class Commands(typer.Typer):
    """A group of commands."""

    def __init__(self, *, cls: type[Group] = Group, **settings: Any) -> None:
        super().__init__(
            **{
                "cls": cls,
                "no_args_is_help": not settings.get("invoke_without_command"),
                "add_completion": False,
                "pretty_exceptions_enable": False,
                **settings,
            }
        )

    def command(  # type: ignore[override]
        self, name: str | None = None, *, cls: type[TyperCommand] = Command, **settings: Any
    ) -> Callable[[F], F]:
        return super().command(name, cls=cls, **settings)


def _in_words(params: list[Any]) -> list[Any]:
    """A flag has no value, and the value of another option is called as the option is, not `<str>`."""
    for param in params:
        if param.metavar is None and param.param_type_name == "option":
            is_flag = getattr(param, "is_flag", False)
            param.metavar = "" if is_flag else str(param.name).upper().replace("_", "-")
    return params


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _in_usage(argument: Any) -> str:
    return _name(argument) if argument.required else f"[{_name(argument)}]"
