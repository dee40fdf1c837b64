"""The variables that say which server commands work at."""

from __future__ import annotations

__all__ = ["TOKEN_VARIABLE", "URL_VARIABLE"]

URL_VARIABLE = "SANDBOX_AGENT_URL"
TOKEN_VARIABLE = "SANDBOX_AGENT_TOKEN"  # noqa: S105 - the name of a variable
