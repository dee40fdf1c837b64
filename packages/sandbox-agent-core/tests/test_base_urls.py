"""Base URLs are stored and shown: what may be in them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from sandbox_agent_core.api.base_urls import MAX_BASE_URL_CHARS
from sandbox_agent_core.api.sessions import CreateSession, ResumeSession


@pytest.mark.parametrize(
    "given",
    [
        "https://gateway.example",
        "http://127.0.0.1:8080/v1",
        "http://[::1]:80/",
        {"anthropic": "https://gateway.example/anthropic", "openai": "http://gw:4000/v1"},
        None,
    ],
)
def test_an_address_is_taken_as_it_is(given: object) -> None:
    assert CreateSession.model_validate({"agent": "claude", "baseUrl": given}).base_url == given


@pytest.mark.parametrize(
    "given",
    [
        "", "gateway.example", "ftp://gateway.example", "file:///etc/passwd", "https://", "http:///v1",
        "https://user:SECRET@gateway.example", "https://SECRET@gateway.example",
        "https://gateway.example/v1?key=SECRET", "https://gateway.example/#SECRET",
        "https://gateway.example:99999", "https://gateway.example:port", "http://[::1",
        "https://gateway.example/\nSECRET", " https://gateway.example/SECRET", "https://gw/\x00",
        "https://gw/" + "x" * MAX_BASE_URL_CHARS,
        {}, {"anthropic": ""}, {"anthropic": "https://a:SECRET@b"}, {"anthropic": None}, ["https://gw"], 7,
    ],
)  # fmt: skip
def test_anything_else_is_refused_without_being_repeated(given: object) -> None:
    with pytest.raises(ValidationError) as caught:
        CreateSession.model_validate({"agent": "claude", "baseUrl": given})
    assert "SECRET" not in str(caught.value)


def test_an_error_about_a_body_does_not_show_what_is_in_it() -> None:
    with pytest.raises(ValidationError) as caught:
        CreateSession.model_validate({"agent": "claude", "env": {"API_KEY": ["SECRET"]}})
    assert "SECRET" not in str(caught.value)


def test_showing_a_body_shows_no_key() -> None:
    servers = [{"name": "x", "headers": [{"name": "Authorization", "value": "SECRET"}]}]
    for body in (
        CreateSession(agent="claude", env={"API_KEY": "SECRET"}, mcp_servers=servers),
        ResumeSession(env={"API_KEY": "SECRET"}, mcp_servers=servers),
    ):
        assert "SECRET" not in repr(body)
