"""Answers of a given type: the schema that is asked for, and the answer read back. Without I/O."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from sandbox_agent_core.errors import InvalidRequest, OutputInvalid

from sandbox_agent_client._result import PromptResult, StructuredResult

__all__ = ["MAX_REPAIRS", "OutputReader"]

MAX_REPAIRS: Final = 2
"""How often an answer that does not fit is asked for again."""
_MAX_PROBLEMS: Final = 10
_WRAPPED: Final = "result"
_FENCED: Final = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?```", re.DOTALL)
_OPENINGS: Final = re.compile(r"[{\[]")
_MAX_OPENINGS: Final = 50
"""Places in a text at which JSON is looked for."""

T = TypeVar("T")


class OutputReader(Generic[T]):
    """Of one type. Raises: InvalidRequest for a type that has no JSON schema."""

    def __init__(self, output_type: type[T]) -> None:
        try:
            self._adapter: TypeAdapter[T] = TypeAdapter(output_type)
            schema = self._adapter.json_schema()
        except (PydanticSchemaGenerationError, PydanticUserError) as exc:
            raise InvalidRequest(
                f"`output_type` must be a type that pydantic can make a JSON schema of, not {output_type!r}: {exc}"
            ) from exc
        self._is_wrapped = schema.get("type") != "object" or "properties" not in schema
        self.schema: dict[str, Any] = _wrapped(schema) if self._is_wrapped else schema
        """Its root is an object: agents take no other."""

    def read(self, result: PromptResult, *, repairs: int) -> StructuredResult[T]:
        """Raises: OutputInvalid: there is no answer of the type in it."""
        given = result.output
        if given is None:
            given = _json_in(result.text)
        if given is None:
            raise self._invalid(result, ["there is no JSON in the answer"])
        try:
            output = self._validated(given)
        except ValidationError as exc:
            raise self._invalid(result, _problems(exc)) from exc
        members = {field.name: getattr(result, field.name) for field in fields(result)}
        return StructuredResult(**members | {"output": output, "repairs": repairs})

    def _validated(self, given: Any) -> T:
        if self._is_wrapped and isinstance(given, dict) and set(given) == {_WRAPPED}:
            given = given[_WRAPPED]
        # As JSON, in which a date is a text, and strictness asks for nothing else.
        return self._adapter.validate_json(json.dumps(given))

    def _invalid(self, result: PromptResult, problems: list[str]) -> OutputInvalid:
        stopped = {} if result.limit is None else {"limit": result.limit}
        error = OutputInvalid(
            f"the answer is not of the type that was asked for: {'; '.join(problems)}",
            problems=problems,
            turnId=result.turn_id,
            stopReason=result.stop_reason,
            text=result.text,
            **stopped,
        )
        error.result = result
        return error

    def repair_prompt(self, error: OutputInvalid) -> str:
        problems = "\n".join(f"- {problem}" for problem in error.details["problems"])
        return (
            "Your last answer does not fit the JSON schema that was asked for:\n"
            f"{problems}\n"
            "Give the whole answer again as JSON that fits it, and nothing else."
        )


def _wrapped(schema: dict[str, Any]) -> dict[str, Any]:
    definitions = schema.pop("$defs", None)
    wrapped = {
        "type": "object",
        "properties": {_WRAPPED: schema},
        "required": [_WRAPPED],
        "additionalProperties": False,
    }
    return wrapped | ({} if definitions is None else {"$defs": definitions})


def _problems(error: ValidationError) -> list[str]:
    errors = error.errors(include_url=False, include_input=False)
    told = [
        f"{'.'.join(str(part) for part in one['loc']) or 'the answer'}: {one['msg']}"
        for one in errors[:_MAX_PROBLEMS]
    ]
    more = len(errors) - len(told)
    return [*told, f"{more} more"] if more else told


def _json_in(text: str) -> Any:
    """The value that a text is, or has in a block of code, or anywhere; None when there is none."""
    for candidate in (text, *reversed(_FENCED.findall(text))):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    decoder = json.JSONDecoder()
    for opening in list(_OPENINGS.finditer(text))[:_MAX_OPENINGS]:
        try:
            return decoder.raw_decode(text, opening.start())[0]
        except (ValueError, RecursionError):
            continue
    return None
