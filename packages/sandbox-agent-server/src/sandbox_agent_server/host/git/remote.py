"""Where a repository is cloned from, and how its credentials reach git: through its environment, for one host."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import SecretStr
from sandbox_agent_core.api.git import GitCredentials
from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_core.redact import mask

__all__ = ["Remote", "remote_of"]

_OVER_THE_NETWORK: Final = frozenset({"http", "https", "ssh", "git", "git+ssh", "ssh+git"})
_HELPER: Final = re.compile(r"[\w+.-]+::")
_DEFAULT_USER: Final = "x-access-token"


@dataclass(frozen=True, slots=True)
class Remote:
    url: str
    """Without credentials."""
    directory: Path | None = None
    """It is one of the sandbox."""
    env: dict[str, str] = field(default_factory=dict, repr=False)
    """For git."""
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def name(self) -> str:
        """Of the directory that it is cloned into, as git would call it."""
        last = re.split(r"[/:]", self.url.rstrip("/").removesuffix("/.git"))[-1]
        return (
            re.sub(r"[\x00-\x1f\x7f ]+", "-", last.removesuffix(".git")).strip(".") or "repository"
        )


def remote_of(url: str, credentials: GitCredentials | None) -> Remote:
    """Raises: InvalidRequest for what is no address of a repository, or cannot take credentials."""
    if url.startswith("-") or any(letter < " " for letter in url):
        raise InvalidRequest(f"`url` {mask(url[:200])!r} is not the address of a repository")
    scheme, has_scheme, rest = url.partition("://")
    if not has_scheme or _HELPER.match(url):
        return _without_scheme(url, credentials)
    if scheme == "file":
        _refuse(credentials, "a directory")
        directory = Path(unquote(rest.removeprefix("localhost")))
        return Remote(url, directory=directory)
    if scheme not in _OVER_THE_NETWORK:
        raise InvalidRequest(
            f"`url` begins with {scheme[:20]!r}; a repository has https, http, ssh, git or file, or is a directory"
        )
    if scheme not in ("http", "https"):
        _refuse(credentials, scheme)
        return Remote(url)
    return _over_http(url, credentials)


def _without_scheme(url: str, credentials: GitCredentials | None) -> Remote:
    if _HELPER.match(url):
        raise InvalidRequest(f"`url` {mask(url[:200])!r} names a helper of git, which is not run")
    # As git: what has a colon before the first slash is a host and a path.
    if ":" in url.partition("/")[0]:
        _refuse(credentials, "ssh")
        return Remote(url)
    _refuse(credentials, "a directory")
    return Remote(url, directory=Path(url))


def _refuse(credentials: GitCredentials | None, what: str) -> None:
    if credentials is not None:
        raise InvalidRequest(
            f"`credentials` are for https; {what} takes none (over ssh, put a key into the sandbox)"
        )


def _over_http(url: str, credentials: GitCredentials | None) -> Remote:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidRequest(f"`url` {mask(url[:200])!r} is not an address") from None
    if not parts.hostname:
        raise InvalidRequest(f"`url` {mask(url[:200])!r} names no host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port is None else f"{host}:{port}"
    clean = urlunsplit((parts.scheme, place, parts.path, parts.query, ""))
    # Git would write those of an address into the configuration, where the agent reads them.
    given = credentials or _of_address(parts.username, parts.password)
    if given is None:
        return Remote(clean)
    secret = given.token or given.password
    assert secret is not None
    word = secret.get_secret_value()
    pair = base64.b64encode(f"{given.username or _DEFAULT_USER}:{word}".encode()).decode("ascii")
    settings = {
        # Those of the machine are not asked, and not told either.
        "credential.helper": "",
        f"http.{parts.scheme}://{place}/.extraHeader": f"Authorization: Basic {pair}",
    }
    env = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings.items()):
        env |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return Remote(clean, env=env, secrets=(word, pair))


def _of_address(username: str | None, password: str | None) -> GitCredentials | None:
    name, word = unquote(username or ""), unquote(password or "")
    if word and name:
        return GitCredentials(username=name, password=SecretStr(word))
    if word or name:
        return GitCredentials(username=None, token=SecretStr(word or name))
    return None
