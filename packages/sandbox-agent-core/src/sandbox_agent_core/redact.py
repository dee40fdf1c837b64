"""Keeps secrets out of what people and logs get to see: by shape, by name, and by value.

Masking is a net, not a wall: whoever holds a secret should not write it in the first place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

__all__ = ["is_secret_name", "mask", "secret_values", "secrets_in"]

_MASK = "***"
# Shorter values (`1`, `true`, `none`) are no secrets, and masking them would garble the text.
_SHORTEST_SECRET = 8

_NAME = r"(?:api[_-]?key|access[_-]?key|private[_-]?key|token|secret|passw(?:or)?d|passphrase|credential|authorization)"

# No look-back into the same word, so that a long one is tried once and not from each of its letters.
_START = r"(?<![\w.\-])"

# The part that says what it was stays: `sk-ant-***` helps to find the wrong key.
_SHAPES = (
    re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S),
    re.compile(rf"{_START}(sk-(?:ant-|proj-|or-|svcacct-)?)[\w\-]{{8,}}"),
    re.compile(rf"{_START}(gh[pousr]_|github_pat_|glpat-|hf_|npm_|pypi-|e2b_|dtn_|xox[abeoprs]-)[\w\-]{{8,}}"),
    re.compile(rf"{_START}(AKIA|ASIA)[A-Z0-9]{{16}}\b"),
    re.compile(rf"{_START}(AIza)[\w\-]{{30,}}"),
    re.compile(rf"{_START}(eyJ)[\w\-]{{8,}}\.[\w\-]{{8,}}\.[\w\-]*"),
    re.compile(rf"{_START}((?:Bearer|Basic)\s+)[\w.~+/\-]{{8,}}=*", re.I),
    re.compile(r"((?:Sec-WebSocket-Protocol|sandbox-agent)\b[^\n]{0,40}?\bbearer\.)[\w.~+%\-]{8,}", re.I),
    re.compile(r"(://[^\s:/@]*:)[^\s/@]+(?=@)"),
)  # fmt: skip
# NAME=value, name: value, "name": "value", --name value. A number is a count (`max_token=4096`), and
# `Unexpected token: x` is what JavaScript says.
_ASSIGNED = re.compile(
    rf"""{_START}(?<!Unexpected\ )([\w.-]*{_NAME}\b["']?\s*[=:]\s*["']?|--[\w-]*{_NAME}\s+)"""
    r"""(?!\d+\b)(?!(?:Bearer|Basic)\b)(?![\w-]{0,12}\*\*\*)[^\s"',;&]{4,}""",
    re.I,
)
# One of these, in lower case, is in whatever one of the above finds: nearly all lines have none, and are left alone for it.
_MARKS = (
    "key", "token", "secret", "passw", "passphrase", "credential", "authorization", "bearer", "basic", "://", "sk-", "ghp_",
    "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "hf_", "npm_", "pypi-", "e2b_", "dtn_", "xox", "akia", "asia",
    "aiza", "eyj",
)  # fmt: skip
_SECRET_NAME = re.compile(
    rf"(?:^|[_.-]){_NAME}S?$|[_.-](?:KEY|PAT|PWD|AUTH)$|PASSW(?:OR)?D$|PASSPHRASE$", re.I
)
# `accessToken`, `clientSecret`: words of JSON have no separator.
_SECRET_MEMBER = re.compile(r"(?<=[a-z0-9])(?:Token|Secret|Key|Password|Passphrase|Credential)s?$")
_PASSWORD_IN_URL = re.compile(r"://[^\s:/@?#]*:([^\s/@]+)@")
_IN_QUERY = re.compile(r"[?&;]([\w.\-]+)=([^&;\s#\"']+)")
# `Server=db;Password=…;`, `host=db password=…`: how drivers of databases are told.
_IN_SETTINGS = re.compile(
    r"(?:^|[;\s])(password|pwd|accountkey|sharedaccesskey|secret|token)\s*=\s*([^;\s]+)", re.I
)
_MAX_JSON_DEPTH = 16


def mask(text: str, *, secrets: Iterable[str] = ()) -> str:
    """`text` with everything that looks like a credential, and every one of `secrets`, replaced by `***`."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _MASK)
    if not _may_hold_secret(text):
        return text
    for shape in _SHAPES:
        text = shape.sub(rf"\1{_MASK}", text)
    return _ASSIGNED.sub(rf"\1{_MASK}", text)


def _may_hold_secret(text: str) -> bool:
    if not text.isascii():
        return True  # `ſ` is an `s` to whoever ignores case, and no `s` in lower case
    lowered = text.lower()
    for mark in _MARKS:  # noqa: SIM110 - for every line of every log: `any` takes three times as long
        if mark in lowered:
            return True
    return False


def secret_values(env: Mapping[str, str]) -> list[str]:
    """The values that `mask` should know, because a program given them may print them."""
    return [
        secret
        for name, value in env.items()
        for secret in secrets_in(name, value)
        if len(secret) >= _SHORTEST_SECRET
    ]


def secrets_in(name: str, value: str) -> Iterator[str]:
    """What of a variable's value must not be seen: all of it, by its name; or the password in a URL, secret
    members of JSON, a password among settings. As it is written there, and as programs read it."""
    if is_secret_name(name):
        yield value
    yield from _secrets_of_json(value)
    for found in _PASSWORD_IN_URL.finditer(value):
        yield from _as_written_and_read(found[1])
    for pattern in (_IN_QUERY, _IN_SETTINGS):
        for found in pattern.finditer(value):
            if is_secret_name(found[1]) or pattern is _IN_SETTINGS:
                yield from _as_written_and_read(found[2])


def _as_written_and_read(text: str) -> set[str]:
    return {text, unquote(text)}


def _secrets_of_json(value: str) -> Iterator[str]:
    if not value.lstrip().startswith(("{", "[")):
        return
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return
    yield from _secrets_of_members("", document, _MAX_JSON_DEPTH)


def _secrets_of_members(name: str, value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield from secrets_in(name, value)
    elif depth and isinstance(value, dict):
        for key, inner in value.items():
            yield from _secrets_of_members(str(key), inner, depth - 1)
    elif depth and isinstance(value, list):
        for inner in value:
            yield from _secrets_of_members(name, inner, depth - 1)


def is_secret_name(name: str) -> bool:
    """Does a variable of this name hold a credential? `ANTHROPIC_API_KEY`, `GH_TOKEN`, `PGPASSWORD`, `accessToken`."""
    return _SECRET_NAME.search(name) is not None or _SECRET_MEMBER.search(name) is not None
