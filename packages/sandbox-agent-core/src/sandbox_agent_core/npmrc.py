"""npm's configuration as text: its files and variables, without reading any."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["npm_variables", "parse_npmrc"]

_ENV_PREFIX: Final = "npm_config_"
_REFERENCE: Final = re.compile(r"(?<!\\)(\\\\)*\$\{([^${}?]+)(\?)?\}")


def npm_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """As npm reads it: any case of the prefix, `_` for `-`; names of registries as they are."""
    found: dict[str, str] = {}
    for name, value in environ.items():
        if not name.lower().startswith(_ENV_PREFIX) or not value:
            continue
        key = name[len(_ENV_PREFIX) :]
        if not key.startswith(("//", "@")):
            key = key.lower()
            key = key[:1] + key[1:].replace("_", "-")
        found[key] = value
    return found


def parse_npmrc(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """`key = value` lines; `;` and `#` start comments; `key[]` repeats are joined by line breaks."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line[0] in ";#[":
            continue
        name, has_value, value = line.partition("=")
        name, value = _expand(name.strip(), environ), value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        value = _expand(value, environ) if has_value else "true"
        if name.endswith("[]"):
            name = name[:-2]
            value = f"{found[name]}\n{value}" if name in found else value
        found[name] = value
    return found


def _expand(text: str, environ: Mapping[str, str]) -> str:
    """`${NAME}`; `${NAME?}` is empty when there is none, where the other stays as it is written."""

    def value_of(reference: re.Match[str]) -> str:
        escapes, name, is_optional = reference[1] or "", reference[2], reference[3]
        known = environ.get(name, "" if is_optional else None)
        return reference[0] if known is None else escapes + known

    return _REFERENCE.sub(value_of, text)
