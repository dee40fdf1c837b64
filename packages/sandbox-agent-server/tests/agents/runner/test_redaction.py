"""What a session was given in confidence is not in what its agent is heard to say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox_agent_core.errors import AgentStartFailed
from sandbox_agent_core.frames import extensions
from sandbox_agent_core.spi.agent import AgentExit, WireFrame
from sandbox_agent_server.agents.runner.redaction import Redaction

KEY = "sk-marker-0123456789"
ENV = {"API_KEY": KEY, "STAGE": "production", "SHORT_TOKEN": "abc"}
SERVERS = [
    {"name": "a", "url": "http://x", "headers": [{"name": "Authorization", "value": "Bearer h-token-123"}]},
    {"name": "b", "command": "b", "env": {"DB_PASSWORD": "p-word-123"}},
    {"name": "c", "command": "c", "env": "nonsense", "headers": ["nonsense", {"name": "x"}]},
]  # fmt: skip


@pytest.fixture
def redaction() -> Redaction:
    return Redaction(ENV, SERVERS)


def wire(frame: dict[str, Any]) -> WireFrame:
    return WireFrame(json.dumps(frame).encode(), frame)


def said(text: str) -> WireFrame:
    return wire({"method": "session/update", "params": {"update": {"text": text}}})


def masked(redaction: Redaction, frame: WireFrame) -> str:
    (result,) = redaction.batch([frame])
    assert json.loads(result.raw) == result.frame
    return result.raw.decode()


def test_a_frame_without_a_secret_is_the_very_same(redaction: Redaction) -> None:
    frame = said("abc in production, application/json")
    assert redaction.batch([frame])[0] is frame


@pytest.mark.parametrize("secret", [KEY, "h-token-123", "Bearer h-token-123", "p-word-123"])
def test_a_secret_is_masked_in_what_the_agent_says(redaction: Redaction, secret: str) -> None:
    text = masked(redaction, said(f"the key is {secret}!"))
    assert secret not in text
    assert "the key is ***!" in text


def test_a_secret_is_masked_in_keys_and_lists(redaction: Redaction) -> None:
    frame = wire({"method": "x", "params": {KEY: [1, None, {"deep": [f"={KEY}="]}]}})
    assert KEY not in masked(redaction, frame)


@pytest.mark.parametrize("value", ['n\n\t"quoted\\secret"', "schlüssel-geheim", "鍵鍵鍵鍵鍵鍵鍵鍵"])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_a_secret_is_found_however_json_writes_it(value: str, is_ascii: bool) -> None:
    frame = {"method": "x", "params": {"text": f"a {value} b"}}
    raw = json.dumps(frame, ensure_ascii=is_ascii).encode()
    (result,) = Redaction({"API_KEY": value}, []).batch([WireFrame(raw, frame)])
    assert result.frame["params"] == {"text": "a *** b"}


@pytest.mark.parametrize(
    "escape", ["\\u0073k-marker", "sk\\u002dmarker", "sk-marker-\\u0030", "sk\\/marker"]
)
def test_a_secret_is_found_behind_escapes_that_need_not_be(escape: str) -> None:
    value = json.loads(f'"{escape}"') + "-tail"
    raw = f'{{"method":"x","params":{{"text":"a {escape}-tail b"}}}}'.encode()
    (result,) = Redaction({"API_KEY": value}, []).batch([WireFrame(raw, json.loads(raw))])
    assert result.frame["params"] == {"text": "a *** b"}
    assert json.loads(result.raw) == result.frame


@pytest.mark.parametrize(
    ("env", "secret"),
    [
        ({"PGPASSWORD": "pg-pass-word"}, "pg-pass-word"),
        ({"DB_PASSWORD": "db-pass-word"}, "db-pass-word"),
        ({"DATABASE_URL": "postgres://u:url-pass-word@db/x"}, "url-pass-word"),
        ({"DATABASE_URL": "postgres://u:p%40ss-word-1@db/x"}, "p@ss-word-1"),
        ({"SETTINGS": '{"db": {"password": "json-pass-word"}}'}, "json-pass-word"),
        ({"GCP": '{"private_key": "-----BEGIN\\nabc"}'}, "-----BEGIN\nabc"),
    ],
)
def test_a_secret_is_found_inside_of_a_value(env: dict[str, str], secret: str) -> None:
    text = masked(Redaction(env, []), said(f"it is {secret}!"))
    assert "it is ***!" in text


def test_what_the_server_gives_of_its_own_environment_is_masked_too() -> None:
    inherited = {
        "GH_TOKEN": "gh-token-of-the-user",
        "SSH_KEY": "/home/ada/.ssh/id",
        "STAGE": "production",
    }
    redaction = Redaction({}, [], inherited=inherited)
    text = masked(redaction, said("gh-token-of-the-user in /home/ada/.ssh/id, production"))
    assert "*** in /home/ada/.ssh/id, production" in text


def test_a_value_that_starts_like_an_escape_leaves_valid_json() -> None:
    frame = said("one\nsecret-value")
    assert json.loads(masked(Redaction({"API_KEY": "nsecret-value"}, []), frame)) == frame.frame


def test_in_failures_everything_given_is_masked(redaction: Redaction) -> None:
    failed = wire({"id": 1, "error": {"code": -1, "message": f"{KEY} in production"}})
    assert '"*** in ***"' in masked(redaction, failed)
    junk = wire({"method": extensions.AGENT_UNPARSED, "params": {"line": "starting in production"}})
    assert "starting in ***" in masked(redaction, junk)


def test_an_error_keeps_its_type_and_loses_the_secret(redaction: Redaction) -> None:
    error = AgentStartFailed(f"cannot run {KEY}", argv=["x", f"--key={KEY}"], exitCode=1)
    shown = redaction.error(error)
    assert type(shown) is AgentStartFailed
    assert KEY not in str(shown) + repr(shown.details)
    assert shown.details["exitCode"] == 1


def test_the_last_words_lose_the_secret(redaction: Redaction) -> None:
    ended = redaction.exit(AgentExit(exit_code=3, stderr_tail=f"fatal: {KEY} / production"))
    assert (ended.exit_code, ended.stderr_tail) == (3, "fatal: *** / ***")


def test_a_file_is_written_as_the_agent_says_and_only_its_log_is_masked(
    redaction: Redaction,
) -> None:
    frame = wire({"id": 1, "method": "fs/write_text_file", "params": {"content": f"KEY={KEY}"}})
    (result,) = redaction.batch([frame])
    assert KEY.encode() not in result.raw
    assert result.frame["params"]["content"] == f"KEY={KEY}"
