"""Structured logs on stderr: text for people, JSON lines for machines. Secrets are masked in both."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from sandbox_agent_core.redact import mask

__all__ = ["configure_logging"]

# What callers and agents wrote begins no line of its own and commands no terminal.
_ESCAPED = {
    code: chr(code).encode("unicode_escape").decode()
    for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
    if code != 0x09
}
_encode = json.JSONEncoder(default=str).encode
_CONTEXT = ("request_id", "session_id", "duration_ms")


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname.lower():7} {record.getMessage()}"
        line += "".join(f" {key}={value}" for key, value in _context(record).items())
        lines = [line]
        if record.exc_info:
            lines += [f"  {each}" for each in self.formatException(record.exc_info).split("\n")]
        return mask(
            "\n".join(each if each.isprintable() else each.translate(_ESCAPED) for each in lines)
        )


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": mask(record.getMessage()),
            **_context(record),
        }
        if record.exc_info:
            fields["exception"] = mask(self.formatException(record.exc_info))
        return _encode(fields)


def configure_logging(level: str, log_format: str) -> None:
    is_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Text() if is_text else _Json())
    # No line of ours says them, and each costs a record some of its time.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # uvicorn's own access log has no session and no request id: ours replaces it.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _context(record: logging.LogRecord) -> dict[str, Any]:
    found = ((key, getattr(record, key, None)) for key in _CONTEXT)
    return {key: value for key, value in found if value is not None}
