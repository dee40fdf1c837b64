"""Events in `/openapi.json`: one schema for each type, as it is on the wire, and their union by `type`."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from sandbox_agent_core.events import EVENT_CLASSES, UniversalEvent

__all__ = ["ANY_EVENT", "EVENT", "FRAME", "event_schemas"]

EVENT: Final = "Event"
FRAME: Final = "FrameEntry"
_REF: Final = "#/components/schemas/{model}"
ANY_EVENT: Final[Mapping[str, Any]] = {
    "anyOf": [{"$ref": _REF.format(model=name)} for name in (EVENT, FRAME)],
    "description": f"`{EVENT}` in the view `universal`, `{FRAME}` in the view `frames`.",
}
_SENDER: Final = {"type": "string", "enum": ["client", "agent", "server"]}
_TIME: Final = {"type": "string", "format": "date-time", "description": "RFC 3339, UTC."}
_SEQ: Final = {"type": "integer", "minimum": 1, "description": "Position in the session's log."}
_FRAME_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "An entry of a session's log: a JSON-RPC frame, and what is known of it.",
    "required": ["seq", "time", "sender", "payload"],
    "properties": {
        "seq": _SEQ,
        "time": _TIME,
        "sender": _SENDER,
        "sessionId": {"type": "string", "description": "In what tells of several sessions."},
        "turnId": {"type": "string"},
        "itemId": {"type": "string", "description": "Message, tool call or request."},
        "method": {"type": "string", "description": "Of a response: that which it answers."},
        "annotations": {"type": "object"},
        "payload": {"type": "object", "description": "JSON-RPC, as it was written."},
    },
}
_ENVELOPE: Final = frozenset(
    field.alias or name for name, field in UniversalEvent.model_fields.items()
)


def event_schemas() -> dict[str, Any]:
    """Schemas by name, those that they refer to included."""
    classes: list[type[BaseModel]] = list(EVENT_CLASSES.values())
    _, generated = models_json_schema(
        [(cls, "validation") for cls in classes], by_alias=True, ref_template=_REF
    )
    schemas: dict[str, Any] = dict(generated["$defs"])
    for kind, cls in EVENT_CLASSES.items():
        schemas[cls.__name__] = _on_the_wire(kind, schemas[cls.__name__])
    schemas[EVENT] = {
        "description": "What happened in a session.",
        "oneOf": [{"$ref": _REF.format(model=cls.__name__)} for cls in classes],
        "discriminator": {
            "propertyName": "type",
            "mapping": {
                kind: _REF.format(model=cls.__name__) for kind, cls in EVENT_CLASSES.items()
            },
        },
    }
    schemas[FRAME] = copy.deepcopy(dict(_FRAME_SCHEMA))
    return schemas


def _on_the_wire(kind: str, flat: Mapping[str, Any]) -> dict[str, Any]:
    """In Python the fields of a type stand beside the envelope, on the wire they are its `data`."""
    own = {name: one for name, one in flat["properties"].items() if name not in _ENVELOPE}
    required = [name for name in flat.get("required", ()) if name in own]
    return {
        "type": "object",
        "title": flat["title"],
        **({"description": flat["description"]} if "description" in flat else {}),
        "required": ["seq", "id", "sessionId", "time", "type", "sender", "data"],
        "properties": {
            "seq": dict(_SEQ),
            "id": {"type": "string", "description": "`<session id>:<seq>`."},
            "sessionId": {"type": "string"},
            "time": dict(_TIME),
            "type": {"type": "string", "const": kind},
            "turnId": {"type": "string"},
            "sender": dict(_SENDER),
            "data": {
                "type": "object",
                "properties": own,
                **({"required": required} if required else {}),
            },
        },
    }
