"""The four ways to patch an object. Server-side apply knows no owners of fields here: it never conflicts."""

from __future__ import annotations

import copy
from typing import Any

from support.kubernetes.refusals import Refusal

__all__ = ["patched"]

# By which field the entries of a list are the same entry, in a strategic merge.
_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "conditions": "type",
    "ownerReferences": "uid",
}


def patched(it: dict[str, Any], patch: Any, *, content_type: str) -> Any:
    """A new object: `it` with the patch.

    Raises:
        Refusal: 400, 415 or 422, the patch cannot be applied.
    """
    kind = content_type.partition(";")[0].strip()
    if kind == "application/json-patch+json":
        if not isinstance(patch, list):
            raise Refusal(400, "a JSON patch is a list of operations")
        return _operate(copy.deepcopy(it), patch)
    if not isinstance(patch, dict):
        raise Refusal(400, "a patch is an object")
    match kind:
        case "application/merge-patch+json":
            return _merge(it, patch, strategic=False)
        case "application/strategic-merge-patch+json" | "application/apply-patch+yaml":
            return _merge(it, patch, strategic=True)
        case _:
            raise Refusal(415, f"the body of the request was in an unknown format: {content_type}")


def _merge(old: Any, new: Any, *, strategic: bool, name: str = "") -> Any:
    if isinstance(new, dict):
        merged = dict(old) if isinstance(old, dict) else {}
        for key, value in new.items():
            if strategic and key.startswith("$"):
                continue
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = _merge(merged.get(key), value, strategic=strategic, name=key)
        return merged
    if strategic and isinstance(new, list) and isinstance(old, list) and name in _MERGE_KEYS:
        return _merge_entries(old, new, key=_MERGE_KEYS[name])
    return copy.deepcopy(new)


def _merge_entries(old: list[Any], new: list[Any], *, key: str) -> list[Any]:
    merged = {each[key]: each for each in old}
    for each in new:
        if each.get("$patch") == "delete":
            merged.pop(each[key], None)
        else:
            merged[each[key]] = _merge(merged.get(each[key]), each, strategic=True)
    return list(merged.values())


def _operate(it: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    for operation in operations:
        *parents, last = [
            key.replace("~1", "/").replace("~0", "~") for key in operation["path"].split("/")[1:]
        ]
        try:
            place: Any = it
            for key in parents:
                place = place[int(key) if isinstance(place, list) else key]
            _apply(operation, place, last)
        except (KeyError, IndexError, ValueError) as error:
            raise Refusal(
                422, f"the server rejected our request due to an error in our request: {error!r}"
            ) from error
    return it


def _apply(operation: dict[str, Any], place: Any, key: str) -> None:
    at: Any = key
    if isinstance(place, list):
        at = len(place) if key == "-" else int(key)
    match operation["op"]:
        case "add" if isinstance(place, list):
            place.insert(at, operation["value"])
        case "add":
            place[at] = operation["value"]
        case "replace":
            place[at]  # what is not there cannot be replaced
            place[at] = operation["value"]
        case "remove":
            del place[at]
        case "test":
            if place[at] != operation["value"]:
                raise ValueError(f"testing path {operation['path']} failed")
        case other:
            raise ValueError(f"the operation {other} is not known")
