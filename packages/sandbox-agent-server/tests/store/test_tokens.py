"""Tokens besides the server's own: kept as hashes, gone when revoked or expired, none when in doubt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.errors import LimitReached, StorageError, TokenNotFound
from sandbox_agent_server.store.tokens import TokenStore


class Clock:
    now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


def store(data_dir: Path, **options: Any) -> TokenStore:
    return TokenStore(data_dir, **{"max_tokens": 10, **options})


def test_a_token_is_found_by_its_text_also_by_the_next_server(tmp_path: Path) -> None:
    made, text = store(tmp_path).create(actor="ada", scopes=["answer", "read"], expires_in_s=None)
    found = store(tmp_path).find(text)
    assert found == made
    assert (found.actor, found.scopes) == ("ada", ("read", "answer"))
    assert store(tmp_path).find(text + "x") is None


def test_the_disk_has_hashes_that_only_the_user_can_read(tmp_path: Path) -> None:
    _, text = store(tmp_path).create(actor="ada", scopes=["read"], expires_in_s=None)
    file = tmp_path / "tokens.json"
    assert file.stat().st_mode & 0o077 == 0
    assert text not in file.read_text()
    assert not [path for path in tmp_path.iterdir() if path != file]


def test_a_revoked_token_is_refused_also_by_the_next_server(tmp_path: Path) -> None:
    tokens = store(tmp_path)
    made, text = tokens.create(actor="ada", scopes=["read"], expires_in_s=None)
    _, other = tokens.create(actor="bob", scopes=["read"], expires_in_s=None)
    tokens.revoke(made.id)
    for again in (tokens, store(tmp_path)):
        assert again.find(text) is None
        assert again.find(other) is not None
    with pytest.raises(TokenNotFound):
        tokens.revoke(made.id)


def test_a_token_expires(tmp_path: Path) -> None:
    clock = Clock()
    tokens = store(tmp_path, now_s=clock, max_tokens=1)
    _, text = tokens.create(actor="ada", scopes=["read"], expires_in_s=60)
    clock.now_s += 59
    assert tokens.find(text) is not None
    clock.now_s += 1
    assert tokens.find(text) is None
    assert tokens.list() == []
    tokens.create(actor="bob", scopes=["read"], expires_in_s=None)
    assert len(json.loads((tmp_path / "tokens.json").read_text())["tokens"]) == 1


def test_there_is_a_limit(tmp_path: Path) -> None:
    tokens = store(tmp_path, max_tokens=2)
    for _ in range(2):
        tokens.create(actor="ada", scopes=["read"], expires_in_s=None)
    with pytest.raises(LimitReached) as caught:
        tokens.create(actor="ada", scopes=["read"], expires_in_s=None)
    assert caught.value.details == {"limit": "max_tokens", "value": 2}


def test_what_cannot_be_written_did_not_happen(tmp_path: Path) -> None:
    tokens = store(tmp_path / "missing")
    with pytest.raises(StorageError):
        tokens.create(actor="ada", scopes=["read"], expires_in_s=None)
    assert tokens.list() == []


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        '{"tokens": [1]}',
        '{"tokens": [{"id": "x"}]}',
        '{"tokens": [{"id": "x", "sha256": "y", "actor": "a", "scopes": ["root"], "created_s": 1,'
        ' "expires_s": null}]}',
        '{"tokens": [{"id": "x", "sha256": "y", "actor": "a", "scopes": ["read"], "created_s": 1,'
        ' "expires_s": "never"}]}',
    ],
)
def test_a_damaged_file_lets_nobody_in_and_is_kept_aside(tmp_path: Path, damage: str) -> None:
    (tmp_path / "tokens.json").write_text(damage)
    tokens = store(tmp_path)
    assert tokens.list() == []
    assert (tmp_path / "tokens.damaged").read_text() == damage
    _, text = tokens.create(actor="ada", scopes=["read"], expires_in_s=None)
    assert store(tmp_path).find(text) is not None
