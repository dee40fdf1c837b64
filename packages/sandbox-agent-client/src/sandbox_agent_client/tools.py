"""Functions of this program as tools of an agent: their schema, their arguments, their results."""

from __future__ import annotations

import inspect
import secrets
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python
from sandbox_agent_core.api.host_tools import HostTool, RegisterHostTools
from sandbox_agent_core.errors import InvalidRequest

__all__ = ["Approve", "Tool", "registration", "result_of", "tools_of"]

Approve = Literal["never", "ask"]
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Tool:
    """A function that agents can call: what `tools` of a session takes besides plain functions.

        Tool(deploy, approve="ask", timeout=600)

    Its parameters need types (`Annotated[str, Field(description=…)]` describes one), its docstring tells the model what it
    is for. What it returns is given to the model: a text as it is, anything else as JSON. What it raises, the model is told.
    `approve="ask"`: whoever answers permissions is asked before each call. `read_only`: it may also be called in `read-only`
    and `plan`. `timeout` is in seconds.

    Raises:
        TypeError: it is no function, or one that cannot be called with names alone.
        InvalidRequest: its name is not possible.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        approve: Approve = "never",
        read_only: bool = False,
        timeout: float = 300.0,
    ) -> None:
        if not callable(function):
            raise TypeError(f"A tool is a function, not {function!r}.")
        self.function = function
        self._names: dict[str, str] = {}
        self._arguments = self._model()
        schema = self._arguments.model_json_schema(by_alias=True)
        for part in (schema, *schema.get("properties", {}).values()):
            part.pop("title", None)
        try:
            self.described = HostTool(
                name=name or str(getattr(function, "__name__", type(function).__name__)),
                description=(inspect.getdoc(function) or "")
                if description is None
                else description,
                input_schema=schema,
                approve=approve,
                read_only=read_only,
                timeout_s=timeout,
            )
        except ValidationError as exc:
            faults = (f"`{'.'.join(map(str, one['loc']))}`: {one['msg']}" for one in exc.errors())
            raise InvalidRequest(f"This is no tool: {'; '.join(faults)}") from None

    @property
    def name(self) -> str:
        return self.described.name

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call, as the function takes them. Raises: ValueError, which says what is wrong with them."""
        try:
            read = self._arguments.model_validate(dict(given))
        except ValidationError as exc:
            faults = (
                f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}"
                for one in exc.errors(include_url=False)
            )
            raise ValueError("; ".join(faults)) from None
        return {
            name: getattr(read, field)
            for field, name in self._names.items()
            if field in read.model_fields_set
        }

    def _model(self) -> type[BaseModel]:
        """Raises: TypeError."""
        try:
            signature = inspect.signature(self.function)
            called = (
                self.function if inspect.isroutine(self.function) else type(self.function).__call__
            )
            hints = typing.get_type_hints(called, include_extras=True)
        except (TypeError, ValueError, NameError) as exc:
            raise TypeError(f"The parameters of {self.function!r} cannot be read: {exc}") from exc
        fields: dict[str, Any] = {}
        for index, (name, parameter) in enumerate(signature.parameters.items()):
            if parameter.kind not in _NAMED:
                raise TypeError(
                    f"A tool is called with names: {name!r} of {self.function!r} cannot be given by its name."
                )
            field, default = f"p{index}", parameter.default
            self._names[field] = name
            annotation = hints.get(name, Any)
            value = Field(alias=name) if default is parameter.empty else Field(default, alias=name)
            fields[field] = (annotation, value)
        config = ConfigDict(extra="forbid", arbitrary_types_allowed=False)
        try:
            return create_model("Arguments", __config__=config, **fields)
        except Exception as exc:
            raise TypeError(
                f"The parameters of {self.function!r} have no JSON schema: {exc}"
            ) from exc


def registration(tools: Sequence[Tool], *, client: str | None = None) -> RegisterHostTools:
    return RegisterHostTools(
        client=client or secrets.token_hex(16), tools=[tool.described for tool in tools]
    )


def tools_of(given: Sequence[Tool | Callable[..., Any]]) -> list[Tool]:
    """Raises: what `Tool` does, and InvalidRequest for two of one name."""
    tools = [one if isinstance(one, Tool) else Tool(one) for one in given]
    names = [tool.name for tool in tools]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InvalidRequest(f"Two tools have the name {min(twice)!r}: give one another `name`.")
    return tools


def result_of(value: Any) -> dict[str, Any]:
    """What a function returned, as members of a HostToolAnswer. Raises: TypeError: it is no JSON."""
    if value is None:
        return {"content": []}
    if isinstance(value, str):
        return {"content": [{"type": "text", "text": value}]}
    if isinstance(value, list) and value and all(_is_block(one) for one in value):
        return {"content": value}
    try:
        text = to_json(value).decode()
        plain = to_jsonable_python(value)
    except PydanticSerializationError as exc:
        raise TypeError(f"It returned what is no JSON: {exc}") from None
    told: dict[str, Any] = {"content": [{"type": "text", "text": text}]}
    return {**told, "structured": plain} if isinstance(plain, dict) else told


def _is_block(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") in (
        "text",
        "image",
        "audio",
        "resource",
        "resource_link",
    )
