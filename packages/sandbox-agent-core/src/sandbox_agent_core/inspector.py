"""Where a server has its Inspector, and the link that opens it."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

__all__ = ["FOLDER", "inspector_link"]

FOLDER: Final = "/ui/"


def inspector_link(url: str, token: str | None) -> str:
    """What opens it. The token is in the fragment, which no browser sends to anybody."""
    fragment = "" if token is None else f"#token={quote(token, safe='')}"
    return f"{url.rstrip('/')}{FOLDER}{fragment}"
