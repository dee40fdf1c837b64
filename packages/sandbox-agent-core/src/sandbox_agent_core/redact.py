"""Keeps secrets out of what people and logs get to see: by shape, by name, and by value.

Masking is a net, not a wall: whoever holds a secret should not write it in the first place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["is_secret_name", "mask", "secret_values"]

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
    re.compile(r"(://[^\s:/@]*:)[^\s/@]+(?=@)"),
)  # fmt: skip
# NAME=value, name: value, "name": "value", --name value. A number is a count (`max_token=4096`), and
# `Unexpected token: x` is what JavaScript says.
_ASSIGNED = re.compile(
    rf"""{_START}(?<!Unexpected\ )([\w.-]*{_NAME}\b["']?\s*[=:]\s*["']?|--[\w-]*{_NAME}\s+)"""
    r"""(?!\d+\b)(?!(?:Bearer|Basic)\b)(?![\w-]{0,12}\*\*\*)[^\s"',;&]{4,}""",
    re.I,
)
_SECRET_NAME = re.compile(rf"(?:^|[_.-]){_NAME}S?$|_(?:KEY|PAT|AUTH)$|^{_NAME}$", re.I)


def mask(text: str, *, secrets: Iterable[str] = ()) -> str:
    """`text` with everything that looks like a credential, and every one of `secrets`, replaced by `***`."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _MASK)
    for shape in _SHAPES:
        text = shape.sub(rf"\1{_MASK}", text)
    return _ASSIGNED.sub(rf"\1{_MASK}", text)


def secret_values(env: Mapping[str, str]) -> list[str]:
    """The values that `mask` should know, because a program given them may print them."""
    return [
        value
        for name, value in env.items()
        if is_secret_name(name) and len(value) >= _SHORTEST_SECRET
    ]


def is_secret_name(name: str) -> bool:
    """Does a variable of this name hold a credential? `ANTHROPIC_API_KEY`, `GH_TOKEN`, `DB_PASSWORD`."""
    return _SECRET_NAME.search(name) is not None
