"""Where MCP servers have their keys: environment, headers, the URL and the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from sandbox_agent_core.redact import is_secret_name, mask, secrets_in

__all__ = ["given_values", "redact_servers", "secrets_of_servers"]

_MASK: Final = "***"
_FLAG: Final = re.compile(r"--?([\w][\w-]*)$")
_FLAG_WITH_VALUE: Final = re.compile(r"(--?([\w][\w-]*)=|([A-Za-z_]\w*)=)(.+)", re.S)
_USER_INFO: Final = re.compile(r"(://)([^\s/@?#]+)@")
_QUERY_VALUE: Final = re.compile(r"([?&;][^=&;#\s]*=)([^&;#\s]+)")


def given_values(servers: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """`(name, value)` of their environment and headers, whether they are secrets or not."""
    for server in servers:
        for member in ("env", "headers"):
            yield from _pairs(server.get(member))


def secrets_of_servers(servers: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What must not be seen of them."""
    for server in servers:
        for name, value in given_values([server]):
            yield from secrets_in(name, value)
            if is_secret_name(name) or name.lower() == "cookie":
                # `Authorization: Bearer KEY`: the key is quoted without its scheme.
                yield from (value, value.rpartition(" ")[2])
        yield from _secrets_of_url(server.get("url"))
        yield from _secrets_of_arguments(server.get("args"))


def redact_servers(servers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """As they may be stored and shown. The agent gets the others."""
    return [{key: _redacted(key, value) for key, value in server.items()} for server in servers]


def _redacted(key: str, value: Any) -> Any:
    if key in ("env", "headers"):
        return _without_values(value)
    if key == "url" and isinstance(value, str):
        url = _USER_INFO.sub(rf"\1{_MASK}@", value)
        return mask(_QUERY_VALUE.sub(rf"\1{_MASK}", url))
    if key == "args" and isinstance(value, list):
        return _redacted_arguments(value)
    return value


def _redacted_arguments(arguments: list[Any]) -> list[Any]:
    secrets = list(_secrets_of_arguments(arguments))
    return [mask(_hidden(one, secrets)) if isinstance(one, str) else one for one in arguments]


def _hidden(text: str, secrets: Iterable[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return text


def _secrets_of_arguments(arguments: Any) -> Iterator[str]:
    """`--api-key KEY`, `--api-key=KEY`, `API_KEY=KEY`, `--header "Authorization: Bearer KEY"`, a URL with one."""
    texts = (
        [one for one in arguments if isinstance(one, str)] if isinstance(arguments, list) else []
    )
    flag = ""
    for text in texts:
        if flag and is_secret_name(flag) and not _FLAG.match(text):
            yield text
        named = _FLAG_WITH_VALUE.match(text)
        if named is not None:
            yield from secrets_in(named[2] or named[3], named[4])
        name, colon, value = text.partition(":")
        if colon and is_secret_name(name.strip()):
            yield from (value.strip(), value.rpartition(" ")[2])
        yield from _secrets_of_url(text)
        found = _FLAG.match(text)
        flag = found[1] if found else ""


def _secrets_of_url(url: Any) -> Iterator[str]:
    """Of the query, every value that is long enough to be one: how it is called says nothing there."""
    if not isinstance(url, str) or "://" not in url:
        return
    for pattern, part in ((_USER_INFO, 2), (_QUERY_VALUE, 2)):
        for found in pattern.finditer(url):
            secret = found[part]
            yield from (secret, unquote(secret), secret.rpartition(":")[2])


def _pairs(values: Any) -> Iterator[tuple[str, str]]:
    """`[{name, value}]`, as ACP says, or `{name: value}`."""
    if isinstance(values, Mapping):
        values = [{"name": name, "value": value} for name, value in values.items()]
    for pair in values if isinstance(values, list) else ():
        value = pair.get("value") if isinstance(pair, Mapping) else None
        if isinstance(value, str):
            yield str(pair.get("name")), value


def _without_values(pairs: Any) -> Any:
    if isinstance(pairs, dict):
        return dict.fromkeys(pairs, _MASK)
    if isinstance(pairs, list):
        return [{**pair, "value": _MASK} if isinstance(pair, dict) else _MASK for pair in pairs]
    return _MASK
