"""The login files of agents: from their text to what is stored in them. One reader per format."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox_agent_core.credentials.model import CredentialKind
from sandbox_agent_core.lenient import as_dict, as_int, as_str

__all__ = [
    "LoginFileError",
    "ReadLogin",
    "Stored",
    "read_amp",
    "read_claude_oauth",
    "read_claude_settings",
    "read_codex",
    "read_copilot",
    "read_cursor",
    "read_dotenv",
    "read_gh_hosts",
    "read_google_oauth",
    "read_provider_map",
    "read_qwen_oauth",
]


class LoginFileError(ValueError):
    """The file is not what its agent writes. The message never has content of the file in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    provider: str
    kind: CredentialKind
    value: str = field(repr=False)
    expires_ms: int | None = None
    is_renewable: bool = False
    is_indirect: bool = False
    """The value is not the key: it names the variable that has it, or the command that prints it."""


ReadLogin = Callable[[str], list[Stored]]
"""The text of a file -> what is stored in it, best first. Raises LoginFileError."""

_LATEST_MS: Final = 253_402_300_799_999  # the end of the year 9999
_CLAUDE_KEY: Final = "sk-ant-"
_CLAUDE_KEY_NAMES: Final = ("primaryApiKey", "apiKey", "anthropicApiKey")
_PROVIDER_ALIASES: Final = {
    "gemini": "google",
    "github-copilot": "github",
    "google-gemini-cli": "google",
    "openai-codex": "openai",
}
_DOTENV_PROVIDERS: Final = {
    "GEMINI_API_KEY": "google",
    "GOOGLE_API_KEY": "google",
    "OPENAI_API_KEY": "openai",
    "DASHSCOPE_API_KEY": "alibaba",
}
_INDIRECT_KEY = re.compile(r"!.*|[A-Z][A-Z0-9_]*", re.S)
_DOTENV_LINE = re.compile(r"""\s*(?:export\s+)?(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s#]*))""")
_GH_HOST = re.compile(r"(\S+):\s*$")
_GH_TOKEN = re.compile(r"\s+oauth_token:\s*[\"']?([\w-]+)")


def read_claude_oauth(text: str) -> list[Stored]:
    login = _object(text).get("claudeAiOauth")
    return _oauth("anthropic", login, "accessToken", "refreshToken", "expiresAt")


def read_claude_settings(text: str) -> list[Stored]:
    settings = _object(text)
    values = (settings.get(name) for name in _CLAUDE_KEY_NAMES)
    return [
        Stored(provider="anthropic", kind="api_key", value=value)
        for value in values
        if isinstance(value, str) and value.startswith(_CLAUDE_KEY)
    ]


def read_codex(text: str) -> list[Stored]:
    auth = _object(text)
    found = _key("openai", auth.get("OPENAI_API_KEY"))
    tokens = auth.get("tokens")
    return found + _oauth("openai", tokens, "access_token", "refresh_token", None)


def read_provider_map(text: str) -> list[Stored]:
    """OpenCode, Kilo and Pi: provider -> `{type: api|api_key, key}` or `{type: oauth, access, …}`."""
    found: list[Stored] = []
    for name, value in _object(text).items():
        provider, entry = _PROVIDER_ALIASES.get(name, name), as_dict(value)
        if entry.get("type") == "oauth":
            found += _oauth(provider, entry, "access", "refresh", "expires")
        else:
            found += _key(provider, entry.get("key"))
    return found


def read_amp(text: str) -> list[Stored]:
    """The key of each Amp server that was logged in to: `apiKey@https://ampcode.com/`."""
    return [
        stored
        for name, value in _object(text).items()
        if name.partition("@")[0] == "apiKey"
        for stored in _key("amp", value)
    ]


def read_cursor(text: str) -> list[Stored]:
    auth = _object(text)
    found = _key("cursor", auth.get("apiKey"))
    return found + _oauth("cursor", auth, "accessToken", "refreshToken", None)


def read_google_oauth(text: str) -> list[Stored]:
    return _oauth("google", _object(text), "access_token", "refresh_token", "expiry_date")


def read_qwen_oauth(text: str) -> list[Stored]:
    return _oauth("qwen", _object(text), "access_token", "refresh_token", "expiry_date")


def read_copilot(text: str) -> list[Stored]:
    # Its configuration starts with comments, which JSON does not have.
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("//"))
    config = _object("\n".join(lines))
    tokens = as_dict(config.get("copilot_tokens") or config.get("copilotTokens"))
    return [stored for value in tokens.values() for stored in _key("github", value)]


def read_gh_hosts(text: str) -> list[Stored]:
    """The token of github.com. The file is YAML, of which gh writes a small and stable part."""
    host = ""
    for line in text.splitlines():
        if found := _GH_HOST.fullmatch(line):
            host = found[1]
        elif host == "github.com" and (token := _GH_TOKEN.match(line)):
            return _key("github", token[1])
    return []


def read_dotenv(text: str) -> list[Stored]:
    return [stored for name, value in _assignments(text) for stored in _dotenv_key(name, value)]


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if found := _DOTENV_LINE.match(line):
            yield found[1], found[2] or found[3] or found[4] or ""


def _dotenv_key(name: str, value: str) -> list[Stored]:
    provider = _DOTENV_PROVIDERS.get(name)
    return _key(provider, value) if provider is not None else []


def _object(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise LoginFileError("it is not JSON") from None
    if not isinstance(document, dict):
        raise LoginFileError("it is not a JSON object")
    return document


def _key(provider: str, value: Any) -> list[Stored]:
    if not isinstance(value, str) or not value:
        return []
    # Pi takes both. Looking for credentials must not run programs.
    is_indirect = _INDIRECT_KEY.fullmatch(value) is not None
    return [Stored(provider=provider, kind="api_key", value=value, is_indirect=is_indirect)]


def _oauth(
    provider: str, login: Any, access: str, refresh: str, expires: str | None
) -> list[Stored]:
    """`expires` names the member with the Unix time in ms; None: the token itself says it (JWT)."""
    members = as_dict(login)
    value = as_str(members.get(access))
    if not value:
        return []
    return [
        Stored(
            provider=provider,
            kind="oauth",
            value=value,
            expires_ms=_jwt_expiry_ms(value) if expires is None else _time_ms(members.get(expires)),
            is_renewable=bool(members.get(refresh)),
        )
    ]


def _time_ms(number: Any) -> int | None:
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    # Leaves out NaN, infinity and OpenCode's 0, all of which are "never".
    return int(number) if is_number and 0 < number <= _LATEST_MS else None


def _jwt_expiry_ms(token: str) -> int | None:
    payload = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return None
    seconds = as_int(as_dict(claims).get("exp"))
    return None if seconds is None else _time_ms(seconds * 1000)
