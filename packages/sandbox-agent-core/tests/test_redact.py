from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_agent_core import redact
from sandbox_agent_core.redact import is_secret_name, mask, secret_values, secrets_in


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("key sk-ant-api03-AbC_def-123456 is bad", "key sk-ant-*** is bad"),
        ("sk-proj-abcdefgh12345678", "sk-proj-***"),
        ("sk-abcdefgh12345678", "sk-***"),
        ("ghp_abcdefghijklmnopqrst0123456789", "ghp_***"),
        ("github_pat_11ABCDEFG0abcdefghij", "github_pat_***"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIA***"),
        ("Authorization: Bearer abcdef.ghi-jkl", "Authorization: Bearer ***"),
        ("authorization: Basic dXNlcjpwYXNzd29yZA==", "authorization: Basic ***"),
        ("X-Sandbox-Agent-Token: abcd-1234_x", "X-Sandbox-Agent-Token: ***"),
        (
            "sec-websocket-protocol: sandbox-agent, bearer.abcd-1234%20x",
            "sec-websocket-protocol: sandbox-agent, bearer.***",
        ),
        (
            'new WebSocket(url, ["sandbox-agent", "bearer.abcd1234"])',
            'new WebSocket(url, ["sandbox-agent", "bearer.***"])',
        ),
        ("ANTHROPIC_API_KEY=whatever-it-is", "ANTHROPIC_API_KEY=***"),
        ("export GH_TOKEN='abcd1234'", "export GH_TOKEN='***'"),
        ('{"apiKey": "abcd1234", "n": 1}', '{"apiKey": "***", "n": 1}'),
        ("x-api-key: abcd1234", "x-api-key: ***"),
        ("run --token abcd1234 --verbose", "run --token *** --verbose"),
        ("https://user:pass1234@example.com/x", "https://user:***@example.com/x"),
        (
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
            "eyJ***",
        ),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----***",
        ),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "the task-runner and the risk-assessment-of-things",
        "max_token=4096",
        "SyntaxError: Unexpected token: identifier",
        "token limit reached",
        "https://example.com:8080/path",
        "a basic example of a bearer",
        "return bearer.authenticate(request)",
        "session 01a2069c-208c-7870-8f3a-2742c2b368b3",
        "/usr/lib/node_modules/x/dist/index.js:12:34",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert mask(text) == text


_WORDS = (
    "sk-ant-", "SK-", "ghs_", "github_pat_", "glpat-", "hf_", "npm_", "pypi-", "e2b_", "dtn_", "xoxb-", "AKIA", "ASIA", "AIza",
    "eyJ", "Bearer ", "bearer.", "BASIC ", "ba\u017fic ", "sandbox-agent ", "Sec-WebSocket-Protocol: ", "https://", "user:",
    "@host", "api_key", "ACCESS-KEY", "private\u212aey", "token", "Secret", "pa\u017f\u017fword", "PASSWD", "passphrase",
    "credential", "authorization", "-----BEGIN PRIVATE KEY-----", "=", ": ", " ", "--", "\n", ".", "'", "Abcdefgh12345678",
    "ABCDEFGH12345678", "x" * 32, "GET /v1/fs/stat 200",
)  # fmt: skip


@given(text=st.lists(st.sampled_from(_WORDS), max_size=6).map("".join))
@settings(max_examples=300, deadline=None)
def test_looking_for_marks_first_changes_nothing(text: str) -> None:
    masked = mask(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redact, "_may_hold_secret", lambda _text: True)
        assert mask(text) == masked


def test_known_values_are_masked_wherever_they_are() -> None:
    assert mask("got=correct-horse!", secrets=["correct-horse", "short"]) == "got=***!"
    assert mask("a short text", secrets=["short"]) == "a short text"


def test_of_overlapping_values_the_longer_goes_first() -> None:
    assert mask("abcdefgh-ijkl", secrets=["abcdefgh", "abcdefgh-ijkl"]) == "***"


def test_masking_twice_changes_nothing() -> None:
    once = mask("API_KEY=abcd1234 Bearer abcdefghij sk-ant-abcdefghij")
    assert mask(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        "a.",
        "--a",
        "eyJ-",
        "token ",
        "token=",
        "sk-",
        "x://a:",
        "a-token",
        "-----BEGIN PRIVATE KEY-----",
    ],
)
def test_masking_takes_no_longer_than_the_text(piece: str) -> None:
    started = time.perf_counter()
    mask(piece * 20_000)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    "name",
    [
        "ANTHROPIC_API_KEY",
        "GH_TOKEN",
        "DB_PASSWORD",
        "aws_secret_access_key",
        "TOKEN",
        "GITHUB_PAT",
        "PGPASSWORD",
        "MYSQL_PWD",
        "SSHPASSPHRASE",
        "OTHER_SECRET",
        "SIGNING_KEY",
        "x-api-key",
        "accessToken",
        "clientSecret",
        "private_key",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "KEYBOARD",
        "MAX_TOKENS_PER_MINUTE",
        "TOKENIZER",
        "MONKEY",
        "PWD",
        "OLDPWD",
        "monkey",
        "Keyboard",
    ],
)
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("API_KEY", "abcd1234", {"abcd1234"}),
        ("STAGE", "production", set()),
        ("DATABASE_URL", "postgres://ada:p%40ss-w0rd@db:5432/x?sslmode=require", {"p%40ss-w0rd", "p@ss-w0rd"}),
        ("REDIS_URL", "redis://:only-password@cache:6379", {"only-password"}),
        ("SOME_URL", "https://host/path?api_key=k-12345678&page=2", {"k-12345678"}),
        ("CONFIG", '{"db": {"password": "in-json-1"}, "list": [{"accessToken": "in-json-2"}], "n": 1}', {"in-json-1", "in-json-2"}),
        ("CONFIG", '[{"url": "amqp://u:in-json-3@mq"}]', {"in-json-3"}),
        ("CONNECTION", "Server=db;User Id=ada;Password=in-settings;", {"in-settings"}),
        ("DSN", "host=db password=in-settings user=ada", {"in-settings"}),
        ("DEEP", "[" * 200 + "]" * 200, set()),
        ("BROKEN", '{"password": ', set()),
    ],
)  # fmt: skip
def test_secrets_are_found_inside_of_values(name: str, value: str, found: set[str]) -> None:
    assert set(secrets_in(name, value)) == found


def test_only_values_that_can_be_secrets_are_remembered() -> None:
    assert secret_values({"MY_TOKEN": "abcd1234", "OTHER_TOKEN": "1", "PATH": "/usr/bin/x"}) == [
        "abcd1234"
    ]
