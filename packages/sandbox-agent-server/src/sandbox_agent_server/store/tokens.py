"""Tokens besides the server's own: `tokens.json` of the data directory, which holds hashes of them."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sandbox_agent_core.api.tokens import TOKEN_SCOPES, TokenScope
from sandbox_agent_core.errors import LimitReached, StorageError, TokenNotFound
from sandbox_agent_core.ids import new_id

__all__ = ["StoredToken", "TokenStore"]

logger = logging.getLogger(__name__)

_FILE = "tokens.json"
_PREFIX = "sat_"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredToken:
    id: str
    sha256: str
    """Of the token, which is random and long: nothing slower is needed to keep it."""
    actor: str
    scopes: tuple[TokenScope, ...]
    created_s: float
    """Seconds since 1970, as `expires_s`."""
    expires_s: float | None = None

    def is_valid(self, now_s: float) -> bool:
        return self.expires_s is None or now_s < self.expires_s


class TokenStore:
    def __init__(
        self, data_dir: Path, *, max_tokens: int, now_s: Callable[[], float] = time.time
    ) -> None:
        """A file that cannot be read is set aside: none of its tokens is valid then."""
        self._path = data_dir / _FILE
        self._max_tokens = max_tokens
        self._now_s = now_s
        self._by_hash: dict[str, StoredToken] = {}
        self._read()

    def list(self) -> list[StoredToken]:
        """Valid ones, oldest first."""
        now_s = self._now_s()
        return [token for token in self._by_hash.values() if token.is_valid(now_s)]

    def find(self, token: str) -> StoredToken | None:
        """None for one that is unknown, revoked or expired."""
        # By its hash: how long a lookup takes says nothing of the token.
        found = self._by_hash.get(_hash(token))
        return found if found is not None and found.is_valid(self._now_s()) else None

    def get(self, token_id: str) -> StoredToken | None:
        """None for one that is unknown, revoked or expired."""
        return next((token for token in self.list() if token.id == token_id), None)

    def create(
        self, *, actor: str, scopes: Sequence[TokenScope], expires_in_s: float | None
    ) -> tuple[StoredToken, str]:
        """The token, and its text, which nobody can read again. Raises: LimitReached, StorageError."""
        valid = self.list()
        if len(valid) >= self._max_tokens:
            raise LimitReached(
                f"there are {len(valid)} tokens already; revoke one",
                limit="max_tokens",
                value=self._max_tokens,
            )
        text = _PREFIX + secrets.token_urlsafe(32)
        now_s = self._now_s()
        made = StoredToken(
            id=new_id("tok"),
            sha256=_hash(text),
            actor=actor,
            scopes=tuple(scope for scope in TOKEN_SCOPES if scope in scopes),
            created_s=now_s,
            expires_s=None if expires_in_s is None else now_s + expires_in_s,
        )
        self._write([*valid, made])
        return made, text

    def revoke(self, token_id: str) -> StoredToken:
        """Raises: TokenNotFound, StorageError."""
        valid = self.list()
        for token in valid:
            if token.id == token_id:
                self._write([other for other in valid if other is not token])
                return token
        raise TokenNotFound(f"there is no token {token_id!r}; it may be revoked or expired already")

    def _read(self) -> None:
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            tokens = [_parsed(fields) for fields in stored["tokens"]]
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
            aside = self._path.with_suffix(".damaged")
            logger.error("%s cannot be read (%s): all its tokens are refused", self._path, exc)
            try:
                self._path.replace(aside)
            except OSError as failed:
                logger.error("%s cannot be moved to %s: %s", self._path, aside, failed)
            return
        self._by_hash = {token.sha256: token for token in tokens}

    def _write(self, tokens: Sequence[StoredToken]) -> None:
        """All of it or nothing: a change that is not on disk did not happen."""
        part = self._path.with_suffix(".part")
        text = json.dumps({"tokens": [asdict(token) for token in tokens]}, indent=1)
        try:
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as exc:
            raise StorageError(f"the tokens cannot be written: {exc.strerror}") from exc
        self._by_hash = {token.sha256: token for token in tokens}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _parsed(fields: Any) -> StoredToken:
    """From a file that somebody may have edited. Raises: ValueError, TypeError, KeyError."""
    scopes = tuple(scope for scope in TOKEN_SCOPES if scope in fields["scopes"])
    if len(scopes) != len(fields["scopes"]):
        raise ValueError(f"no scopes that this version knows: {fields['scopes']!r}")
    expires_s = fields["expires_s"]
    return StoredToken(
        id=str(fields["id"]),
        sha256=str(fields["sha256"]),
        actor=str(fields["actor"]),
        scopes=scopes,
        created_s=float(fields["created_s"]),
        expires_s=None if expires_s is None else float(expires_s),
    )
