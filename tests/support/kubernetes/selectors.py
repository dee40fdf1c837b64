"""Which objects a list, a watch or a deletion is about: selectors by labels and by fields."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from support.kubernetes.refusals import Refusal

__all__ = ["Predicate", "selector"]

Predicate = Callable[[dict[str, Any]], bool]

_SET = re.compile(r"(?P<key>[^\s!=,()]+)\s+(?P<operator>in|notin)\s+\((?P<values>[^()]*)\)\s*$")
_EQUALITY = re.compile(r"(?P<key>[^\s!=,()]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s!=,()]*)\s*$")
_EXISTENCE = re.compile(r"(?P<operator>!?)\s*(?P<key>[^\s!=,()]+)\s*$")
# What the server can select Pods and Events by; the fields of others are just these two.
_FIELDS = re.compile(
    r"metadata\.(name|namespace)|spec\.\w+|status\.\w+|involvedObject\.\w+|reason|type|source"
)


def selector(*, labels: str = "", fields: str = "") -> Predicate:
    """A predicate on objects.

    Raises:
        Refusal: 400, the selector cannot be read.
    """
    # A comma inside of brackets belongs to a set of values.
    wanted = [_label(part.strip()) for part in re.split(r",(?![^()]*\))", labels) if part.strip()]
    wanted += [_field(part.strip()) for part in fields.split(",") if part.strip()]
    return lambda it: all(each(it) for each in wanted)


def _label(text: str) -> Predicate:
    def value(it: dict[str, Any], key: str) -> str | None:
        return (it["metadata"].get("labels") or {}).get(key)

    if found := _SET.match(text):
        key = found["key"]
        values = {each.strip() for each in found["values"].split(",")}
        if found["operator"] == "in":
            return lambda it: value(it, key) in values
        return lambda it: value(it, key) not in values
    if found := _EQUALITY.match(text):
        key, expected = found["key"], found["value"]
        if found["operator"] == "!=":
            return lambda it: value(it, key) != expected
        return lambda it: value(it, key) == expected
    if found := _EXISTENCE.match(text):
        key = found["key"]
        if found["operator"]:
            return lambda it: value(it, key) is None
        return lambda it: value(it, key) is not None
    raise Refusal(400, f"unable to parse requirement: found {text!r}")


def _field(text: str) -> Predicate:
    found = _EQUALITY.match(text)
    if found is None:
        raise Refusal(400, f"invalid selector: {text!r}; can't understand {text!r}")
    if not _FIELDS.fullmatch(found["key"]):
        raise Refusal(400, f"field label not supported: {found['key']}")
    path, expected = found["key"].split("."), found["value"]
    is_same = found["operator"] != "!="

    def holds(it: dict[str, Any]) -> bool:
        value: Any = it
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return (str(value if value is not None else "") == expected) is is_same

    return holds
