"""What the bridge's OpenAPI document says about the operations that are used here, in JSON Schema."""

from __future__ import annotations

from typing import Any

import jsonschema

__all__ = ["ANSWERS", "REQUESTS", "check"]


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


_TEXT = {"type": "string"}
_PORT = {"type": "integer", "minimum": 1024, "maximum": 65535, "not": {"const": 3000}}
_CODES = [
    "unauthorized",
    "invalid_request",
    "exec_error",
    "exec_transport_error",
    "workspace_read_not_found",
    "workspace_archive_read_error",
    "workspace_archive_write_error",
    "capacity_exceeded",
    "pool_error",
    "mount_error",
    "unmount_error",
    "session_error",
    "tunnel_error",
    "payload_too_large",
]

REQUESTS: dict[str, dict[str, Any]] = {
    "exec": _object(
        {"argv": {"type": "array", "items": _TEXT, "minItems": 1}},
        timeout_ms={"type": "integer"},
        cwd=_TEXT,
    ),
    "tunnel": _object({}, name=_TEXT),
}
ANSWERS: dict[str, dict[str, Any]] = {
    "create": _object({"id": {"type": "string", "pattern": "^[a-z2-7]{1,128}$"}}),
    "write": _object({"ok": {"const": True}}),
    "tunnel": _object(
        {
            "id": _TEXT,
            "port": _PORT,
            "url": {"type": "string", "format": "uri"},
            "hostname": _TEXT,
            "createdAt": {"type": "string", "format": "date-time"},
        },
        name=_TEXT,
    ),
    "error": _object({"error": _TEXT, "code": {"enum": _CODES}}),
    "exit": _object({"exit_code": {"type": "integer"}}),
}


def check(content: Any, schema: dict[str, Any]) -> Any:
    """The content itself. Raises: jsonschema.ValidationError."""
    jsonschema.validate(content, schema)
    return content
