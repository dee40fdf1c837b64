"""Where a session's model requests go: a gateway or proxy in place of the provider."""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["MAX_BASE_URL_CHARS", "BaseUrls", "check_base_urls"]

MAX_BASE_URL_CHARS = 2048

BaseUrls = str | dict[str, str]
"""One for the agent's main provider, or provider (`anthropic`, `openai`, …) -> URL."""


def check_base_urls(given: BaseUrls) -> BaseUrls:
    """What was given, when it may be stored and shown. Raises: ValueError, without the URL in it."""
    if isinstance(given, str):
        _check(given, "it")
        return given
    if not given:
        raise ValueError("names no provider")
    for provider, url in given.items():
        _check(url, f"the URL of {provider[:64]!r}")
    return given


def _check(url: str, what: str) -> None:
    if len(url) > MAX_BASE_URL_CHARS:
        raise ValueError(f"{what} is longer than {MAX_BASE_URL_CHARS} characters")
    # `urlsplit` drops some of these silently, and what it drops must not reach the agent.
    if any(char.isspace() or not char.isprintable() for char in url):
        raise ValueError(f"{what} has white space or control characters in it")
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError:
        raise ValueError(f"{what} is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{what} is not an http:// or https:// URL")
    # They are stored and shown, which a key must not be.
    if "@" in parts.netloc:
        raise ValueError(f"{what} has a user or password in it; give keys in `env`")
    if parts.query or parts.fragment:
        raise ValueError(f"{what} has a query or a fragment; give keys in `env`")
