"""Which credentials are found, which of them wins, and what a broken login file does."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import pytest
from sandbox_agent_core.credentials import CREDENTIAL_SOURCES, Credential, Discovery, discover
from sandbox_agent_core.errors import UnsupportedAgent

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
HOME = {"HOME": "/home/ada"}


def jwt(exp: int) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": exp}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{claims}.signature"


def look(agent: str, files: Mapping[str, Any] | None = None, **env: str) -> Discovery:
    """`files`: path below HOME -> text, a JSON document, or the error of reading it."""

    def read(path: str) -> str | None:
        content = (files or {}).get(path.removeprefix("/home/ada/"))
        if isinstance(content, Exception):
            raise content
        return content if isinstance(content, str | None) else json.dumps(content)

    return discover(agent, {**HOME, **env}, read, now_ms=NOW_MS)


def only(discovery: Discovery) -> Credential:
    (credential,) = discovery.credentials
    return credential


def claude_login(expires_ms: int = NOW_MS + HOUR_MS, **more: Any) -> dict[str, Any]:
    login = {"accessToken": "sk-ant-oat01-abcdef", "expiresAt": expires_ms, **more}
    return {".claude/.credentials.json": {"claudeAiOauth": login}}


FOUND: list[tuple[str, dict[str, Any], str, str, dict[str, str]]] = [
    ("claude", claude_login(), "anthropic", "oauth", {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-abcdef"}),
    ("claude", {".claude.json": {"primaryApiKey": "sk-ant-api03-x", "apiKey": "no-key"}},
     "anthropic", "api_key", {"ANTHROPIC_API_KEY": "sk-ant-api03-x"}),
    ("codex", {".codex/auth.json": {"OPENAI_API_KEY": "sk-o", "tokens": None}},
     "openai", "api_key", {"CODEX_API_KEY": "sk-o", "OPENAI_API_KEY": "sk-o"}),
    ("codex", {".codex/auth.json": {"OPENAI_API_KEY": None, "tokens": {"access_token": jwt(1_900_000_000)}}},
     "openai", "oauth", {}),
    ("opencode", {".local/share/opencode/auth.json": {"google": {"type": "api", "key": "AIza-o"}}},
     "google", "api_key", {"GEMINI_API_KEY": "AIza-o"}),
    ("opencode", {".local/share/opencode/auth.json": {"github-copilot": {"type": "oauth", "access": "", "refresh": "r"},
                                                     "openai": {"type": "oauth", "access": "a", "expires": 0}}},
     "openai", "oauth", {}),
    ("kilo", {".local/share/kilo/auth.json": {"kilo": {"type": "api", "key": "k1"}}},
     "kilo", "api_key", {"KILO_API_KEY": "k1"}),
    ("pi", {".pi/agent/auth.json": {"anthropic": {"type": "oauth", "access": "sk-ant-oat", "refresh": "r",
                                                  "expires": NOW_MS + 1}}},
     "anthropic", "oauth", {"ANTHROPIC_OAUTH_TOKEN": "sk-ant-oat"}),
    ("pi", {".pi/agent/auth.json": {"openai": {"type": "api_key", "key": "!pass show openai"}}},
     "openai", "api_key", {}),
    ("pi", {".pi/agent/auth.json": {"openai": {"type": "api_key", "key": "MY_OPENAI_KEY"}}},
     "openai", "api_key", {}),
    ("amp", {".local/share/amp/secrets.json": {"apiKey@https://ampcode.com/": "sgamp_x", "other": 1}},
     "amp", "api_key", {"AMP_API_KEY": "sgamp_x"}),
    ("cursor", {".config/cursor/auth.json": {"accessToken": jwt(1_900_000_000), "refreshToken": "r"}},
     "cursor", "oauth", {}),
    ("gemini", {".gemini/oauth_creds.json": {"access_token": "ya29.x", "expiry_date": NOW_MS + 1.5}},
     "google", "oauth", {}),
    ("gemini", {".gemini/.env": "# mine\nexport GEMINI_API_KEY='AIza-g'\nEDITOR=vi\n"},
     "google", "api_key", {"GEMINI_API_KEY": "AIza-g"}),
    ("qwen", {".qwen/oauth_creds.json": {"access_token": "q", "refresh_token": "r", "expiry_date": NOW_MS + 1}},
     "qwen", "oauth", {}),
    ("copilot", {".copilot/config.json": '// managed\n{"copilot_tokens": {"https://github.com:ada": "gho_c"}}'},
     "github", "api_key", {"COPILOT_GITHUB_TOKEN": "gho_c"}),
    ("copilot", {".config/gh/hosts.yml": "ghe.example:\n    oauth_token: no\ngithub.com:\n    user: ada\n"
                                         "    oauth_token: gho_h\n"},
     "github", "api_key", {"COPILOT_GITHUB_TOKEN": "gho_h"}),
]  # fmt: skip


@pytest.mark.parametrize(("agent", "files", "provider", "kind", "env"), FOUND)
def test_each_login_file_is_read(
    agent: str, files: dict[str, Any], provider: str, kind: str, env: dict[str, str]
) -> None:
    discovery = look(agent, files)
    found = only(discovery)
    assert (found.provider, found.kind) == (provider, kind)
    assert found.source == f"/home/ada/{next(iter(files))}"
    assert discovery.environment() == env
    assert discovery.is_available
    assert discovery.problems == ()


def test_every_agent_finds_nothing_on_an_empty_machine() -> None:
    for agent in CREDENTIAL_SOURCES:
        discovery = look(agent)
        assert (discovery.credentials, discovery.problems, discovery.is_available) == (
            (),
            (),
            False,
        )
        assert discovery.environment() == {}


@pytest.mark.parametrize("agent", CREDENTIAL_SOURCES)
def test_each_variable_of_an_agent_is_enough(agent: str) -> None:
    for variable in CREDENTIAL_SOURCES[agent].variables:
        discovery = look(agent, **{variable.name: "a-key"})
        assert only(discovery).source == f"${variable.name}"
        assert discovery.is_available
        assert discovery.environment() == {variable.name: "a-key"}


def test_the_environment_wins_over_the_login_which_wins_over_what_others_stored() -> None:
    others = {".local/share/opencode/auth.json": {"anthropic": {"type": "api", "key": "sk-ant-o"}}}
    discovery = look("claude", claude_login() | others, ANTHROPIC_API_KEY="sk-ant-env")
    assert [found.value for found in discovery.credentials] == [
        "sk-ant-env", "sk-ant-oat01-abcdef", "sk-ant-o",
    ]  # fmt: skip
    assert discovery.environment() == {"ANTHROPIC_API_KEY": "sk-ant-env"}


def test_a_key_that_another_agent_stored_can_be_handed_over_but_is_not_available_by_itself() -> (
    None
):
    discovery = look(
        "claude",
        {".local/share/opencode/auth.json": {"anthropic": {"type": "api", "key": "sk-ant-o"}}},
    )
    assert only(discovery).is_borrowed
    assert not discovery.is_available
    assert discovery.environment() == {"ANTHROPIC_API_KEY": "sk-ant-o"}


def test_tokens_are_not_borrowed() -> None:
    assert look("pi", claude_login()).credentials == ()
    assert (
        look(
            "opencode", {".config/gh/hosts.yml": "github.com:\n  oauth_token: gho_x\n"}
        ).credentials
        == ()
    )


def test_a_variable_that_people_set_for_claude_is_turned_into_the_one_it_reads() -> None:
    discovery = look("claude", CLAUDE_API_KEY="sk-ant-alias")
    assert discovery.environment() == {"ANTHROPIC_API_KEY": "sk-ant-alias"}
    assert not discovery.is_available


def test_the_variables_that_move_a_login_file_are_followed() -> None:
    assert look(
        "codex", {"c/auth.json": {"OPENAI_API_KEY": "sk"}}, CODEX_HOME="/home/ada/c"
    ).is_available
    files = {"d/opencode/auth.json": {"openai": {"type": "api", "key": "sk"}}}
    assert look("opencode", files, XDG_DATA_HOME="/home/ada/d").is_available
    assert not look("opencode", files).is_available


def test_the_address_of_a_gateway_goes_with_its_key_and_with_no_other() -> None:
    gateway = {"ANTHROPIC_BASE_URL": "https://gateway.example"}
    token = {"ANTHROPIC_AUTH_TOKEN": "gw-token"}
    assert look("claude", **gateway, **token).environment() == {**gateway, **token}
    assert look("claude", claude_login(), **gateway).environment() == {
        "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-abcdef"
    }


def test_an_expired_login_is_reported_and_stays_here() -> None:
    discovery = look("claude", claude_login(NOW_MS - 1))
    assert only(discovery).is_expired(NOW_MS)
    assert not discovery.is_available
    assert discovery.environment() == {}
    (problem,) = discovery.problems
    assert "expired 2027-01-15T07:59:59.999Z" in problem.message


def test_an_expired_login_that_the_agent_renews_works_here_but_not_elsewhere() -> None:
    discovery = look("claude", claude_login(NOW_MS - 1, refreshToken="sk-ant-ort01"))
    assert discovery.is_available
    assert discovery.environment() == {}
    assert "renews" in discovery.problems[0].message


def test_an_expired_token_gives_way_to_the_next_source() -> None:
    files = claude_login(NOW_MS - 1) | {".claude.json": {"primaryApiKey": "sk-ant-api03-next"}}
    assert look("claude", files).environment() == {"ANTHROPIC_API_KEY": "sk-ant-api03-next"}


def test_a_token_tells_when_it_expires() -> None:
    tokens = {"access_token": jwt(NOW_MS // 1000 - 5), "refresh_token": "r"}
    found = only(look("codex", {".codex/auth.json": {"tokens": tokens}}))
    assert found.expires_ms == NOW_MS - 5000
    assert found.is_expired(NOW_MS)


SECRET = "sk-ant-SECRET-in-a-broken-file"
BROKEN = [
    PermissionError(13, "Permission denied"),
    IsADirectoryError(21, "Is a directory"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    "",
    "{" + SECRET,
    f'"{SECRET}"',
    f'["{SECRET}"]',
    "[" * 100_000,
]


@pytest.mark.parametrize("agent", CREDENTIAL_SOURCES)
@pytest.mark.parametrize("content", BROKEN, ids=lambda content: str(content)[:12])
def test_a_login_file_that_cannot_be_read_is_told_and_hides_nothing_else(
    agent: str, content: Any
) -> None:
    sources = CREDENTIAL_SOURCES[agent]

    def read(path: str) -> str | None:
        if isinstance(content, Exception):
            raise content
        return str(content)

    variable = sources.variables[0].name
    discovery = discover(agent, {**HOME, variable: "a-key"}, read, now_ms=NOW_MS)
    assert only(discovery).value == "a-key"
    assert SECRET not in "".join(map(str, discovery.problems))
    has_strict_format = any(file.name.endswith(".json") for file in sources.files)
    is_unreadable = isinstance(content, Exception) and bool(sources.files)
    assert bool(discovery.problems) >= (has_strict_format or is_unreadable)


ODD: list[Any] = [
    {"claudeAiOauth": None},
    {"claudeAiOauth": {"accessToken": 7, "expiresAt": "soon"}},
    {"claudeAiOauth": {"accessToken": ["sk"]}, "primaryApiKey": {"x": 1}},
    {"tokens": "none", "OPENAI_API_KEY": 3, "copilot_tokens": []},
    {"anthropic": "text", "openai": {"type": "api"}, "google": {"type": "oauth", "access": None}},
    {"access_token": {}, "accessToken": False, "apiKey@x": 0},
]


@pytest.mark.parametrize("agent", CREDENTIAL_SOURCES)
@pytest.mark.parametrize("document", ODD, ids=range(len(ODD)))
def test_members_of_another_type_are_no_credentials(agent: str, document: Any) -> None:
    discovery = discover(agent, HOME, lambda _path: json.dumps(document), now_ms=NOW_MS)
    assert discovery.credentials == ()


@pytest.mark.parametrize("expires", [0, -1, 1e300, 2**80, "tomorrow", True, None])
def test_a_time_that_is_none_means_that_it_does_not_expire(expires: Any) -> None:
    assert only(look("claude", claude_login(expires))).expires_ms is None


def test_a_credential_does_not_show_its_value() -> None:
    discovery = look("claude", claude_login(), ANTHROPIC_API_KEY="sk-ant-api03-0123456789-secret")
    for found in discovery.credentials:
        assert found.value not in repr(found)
        assert found.value not in found.masked
    assert discovery.credentials[0].masked == "sk-a…cret"
    assert look("amp", AMP_API_KEY="short-key").credentials[0].masked == "***"


def test_the_documentation_names_every_source() -> None:
    page = (Path(__file__).parents[3] / "docs" / "credentials.md").read_text(encoding="utf-8")
    for agent, sources in CREDENTIAL_SOURCES.items():
        assert f"| `{agent}` |" in page
        for variable in (*sources.variables, *sources.aliases):
            assert f"`{variable.name}`" in page
        for file in sources.files:
            assert f"`{PurePath('~', file.folder.default, file.name)}`" in page
            assert file.folder.variable is None or f"`${file.folder.variable}`" in page


def test_an_unknown_agent_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnsupportedAgent) as caught:
        look("nobody")
    assert "claude" in caught.value.details["known"]
