"""Python blocks: compiled, their names and keywords looked up, and run one after the other in one namespace."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import json
import os
import types
import typing
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Unpack, get_args, get_type_hints

import pydantic
import pytest
import sandbox_agent_client
from sandbox_agent_client import SandboxAgent, SandboxAgentSync, Session

from support.snippets.blocks import Block

__all__ = ["check_names", "compiled", "run", "usual_names"]


_ELSEWHERE = frozenset({"agent_task", "temporalio"})
"""Of an example with packages that are not in the environment of the tests."""


class Report(pydantic.BaseModel):
    """What a page means by an output type of one's own."""

    text: str = ""


def usual_names() -> dict[str, Any]:
    """What pages use without importing it each time."""
    public = {name: getattr(sandbox_agent_client, name) for name in sandbox_agent_client.__all__}
    providers = {
        point.load().__name__: point.load()
        for point in entry_points(group="sandbox_agent.providers")
    }
    modules = {"asyncio": asyncio, "json": json, "os": os, "pytest": pytest, "Path": Path}
    return {
        **public,
        **providers,
        **modules,
        "BaseModel": pydantic.BaseModel,
        "Report": Report,
        "MyProvider": sandbox_agent_client.LocalProvider,
        "key": "a-key-of-nobody",
        "token": "a-token-of-nobody",
    }


def compiled(block: Block, text: str) -> types.CodeType:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return compile("\n" * block.line + text, block.place, "exec", flags=flags, dont_inherit=True)


async def run(block: Block, text: str, names: dict[str, Any]) -> None:
    code = compiled(block, text)
    if "\nasyncio.run(" in text:  # a whole program: it wants a thread without a loop
        await asyncio.to_thread(exec, code, names)
    elif inspect.isawaitable(made := eval(code, names)):
        await made


def check_names(block: Block, names: Mapping[str, Any]) -> None:
    """What it imports is there, and our own calls are given keywords that they take."""
    tree = compile(
        block.text, block.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST
    )
    known = {**names, "client": SandboxAgent, "session": Session, "other": Session}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module.partition(".")[0] in _ELSEWHERE:
                continue
            module = importlib.import_module(node.module)
            known |= {
                alias.asname or alias.name: getattr(module, alias.name) for alias in node.names
            }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            _resolve(node, known)
        elif isinstance(node, ast.Call) and (called := _resolve(node.func, known)) is not None:
            _check_keywords(block, node, called)


def _resolve(node: ast.expr, known: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _resolve(node.value, known)
        if owner is None or isinstance(owner, property):
            return None
        if isinstance(owner, type) and (made := _attributes(owner).get(node.attr)) is not None:
            return made
        assert hasattr(owner, node.attr) or node.attr in getattr(owner, "model_fields", {}), (
            f"{owner!r} has no {node.attr!r}"
        )
        return getattr(owner, node.attr, None)
    return None


def _attributes(owner: type) -> dict[str, Any]:
    """Of its objects, each with its class, where the class declares them."""
    declared = {name for cls in owner.__mro__ for name in getattr(cls, "__annotations__", {})}
    if not declared or hasattr(owner, "model_fields"):
        return {}
    return {
        name: made for name, made in typing.get_type_hints(owner).items() if isinstance(made, type)
    }


def _check_keywords(block: Block, call: ast.Call, called: Any) -> None:
    if not callable(called) or (getattr(called, "__module__", None) or "").startswith("pydantic"):
        return
    try:
        parameters = inspect.signature(called).parameters
    except ValueError:  # of what is written in C, nobody knows
        return
    taken = {name for name, it in parameters.items() if it.kind is not it.VAR_KEYWORD}
    rest = next((it for it in parameters.values() if it.kind is it.VAR_KEYWORD), None)
    if called in (SandboxAgent.start, SandboxAgentSync.start):
        taken |= _options_of_the_provider(call)
    elif rest is not None and (options := _unpacked(called, rest.name)) is not None:
        taken |= options
    elif rest is not None:
        return
    taken |= set(getattr(called, "model_fields", ()))
    given = {keyword.arg for keyword in call.keywords if keyword.arg}
    assert given <= taken, f"{block.place}: {ast.unparse(call.func)} takes no {given - taken}"


def _unpacked(called: Any, name: str) -> set[str] | None:
    hint = get_type_hints(called).get(name)
    if getattr(hint, "__origin__", None) is Unpack:
        return set(get_type_hints(get_args(hint)[0]))
    return None


def _options_of_the_provider(call: ast.Call) -> set[str]:
    named = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "sandbox")]
    name = named[0].value if named and isinstance(named[0], ast.Constant) else "local"
    if name == "local":
        return set(inspect.signature(sandbox_agent_client.LocalProvider).parameters)
    found = entry_points(group="sandbox_agent.providers", name=str(name))
    return {option for point in found for option in inspect.signature(point.load()).parameters}
