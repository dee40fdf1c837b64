"""The questions of an `elicitation/create`: listed by the agent, or read from its JSON schema."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.lenient import as_dict, as_list, as_str, compact, dicts_with
from sandbox_agent_core.projection.parts import Wire

__all__ = ["questions_of"]


def questions_of(params: Wire) -> list[Wire]:
    """`_meta.questions` says more (headers, descriptions) than a schema can, so it wins."""
    listed = as_dict(params.get("_meta")).get("questions")
    if isinstance(listed, list):
        return [_listed(item) for item in dicts_with(listed, "question")]
    schema = as_dict(params.get("requestedSchema"))
    required = as_list(schema.get("required"))
    return [
        _from_schema(name, as_dict(property), name in required)
        for name, property in as_dict(schema.get("properties")).items()
    ]


def _listed(item: Wire) -> Wire:
    question: Wire = {
        # Claude Code keys the answers by the text of the question.
        "id": as_str(item.get("id")) or item["question"],
        "question": item["question"],
    }
    question |= compact(header=as_str(item.get("header")))
    question["options"] = [
        {"label": option["label"]}
        | compact(value=option.get("value"), description=as_str(option.get("description")))
        for option in dicts_with(item.get("options"), "label")
    ]
    if item.get("multiSelect") is True:
        question["multiSelect"] = True
    return question


def _from_schema(name: str, schema: Wire, required: bool) -> Wire:
    items = as_dict(schema.get("items")) if schema.get("type") == "array" else schema
    title, description = as_str(schema.get("title")), as_str(schema.get("description"))
    question: Wire = {"id": name, "question": description or title or name}
    if description and title:
        question["header"] = title
    question["options"] = _options(items)
    if items is not schema:
        question["multiSelect"] = True
    question |= compact(answerType=as_str(items.get("type")))
    if required:
        question["required"] = True
    return question


def _options(schema: Wire) -> list[Wire]:
    for key in ("oneOf", "anyOf"):
        if isinstance(schema.get(key), list):
            return [
                {"label": as_str(option.get("title")) or str(option["const"])}
                | compact(value=option["const"], description=as_str(option.get("description")))
                for option in schema[key]
                if isinstance(option, dict) and _is_scalar(option.get("const"))
            ]
    labels = as_list(schema.get("enumNames"))
    values: list[Any] = [value for value in as_list(schema.get("enum")) if _is_scalar(value)]
    if len(labels) != len(values):
        labels = values
    return [
        {"label": str(label) if _is_scalar(label) else str(value), "value": value}
        for label, value in zip(labels, values, strict=True)
    ]


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float))
