"""Every route of sandbox-agent 0.4.2 is answered: as there, or with a sentence why it is not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from compatibility.page import PAGE, routes_table, section, written
from compatibility.peer_routes import ROUTES, PeerRoute
from support.server import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("routes")).start()
    yield server
    server.stop()


def filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(f"{{{name}}}", text)
    return value


def ask(client: httpx.Client, route: PeerRoute, names: dict[str, str]) -> httpx.Response:
    return client.request(
        route.method, filled(route.url, names), json=filled(route.json, names), content=route.content,
        headers=dict(route.headers),
    )  # fmt: skip


def wrong_with(route: PeerRoute, answer: httpx.Response) -> str | None:
    if answer.status_code != route.status:
        return f"{answer.status_code}, not {route.status}: {answer.text[:300]}"
    if not route.has:
        return None
    lacking = set(route.has) - set(answer.json())
    return f"lacks {sorted(lacking)}: {answer.text[:300]}" if lacking else None


def test_every_route_is_answered_and_the_page_lists_them(
    server: ServerProcess, tmp_path: Path
) -> None:
    """In the order of the table: a process is made before it is asked about."""
    wrong = {}
    names = {"dir": str(tmp_path), "process": "none"}
    with server.client() as client:
        for route in ROUTES:
            answer = ask(client, route, names)
            if (what := wrong_with(route, answer)) is not None:
                wrong[f"{route.method} {route.path}"] = what
            elif route.absent:
                assert answer.json()["detail"].startswith(("this server ", "there is nothing at "))
            elif (route.method, route.path) == ("POST", "/v1/processes"):
                names["process"] = answer.json()["id"]
    assert wrong == {}
    table = routes_table(ROUTES)
    if os.environ.get("COMPATIBILITY") == "write":
        PAGE.write_text(written(PAGE.read_text("utf-8"), "routes", table), encoding="utf-8")
    assert section(PAGE.read_text("utf-8"), "routes") == table, "COMPATIBILITY=write writes it"


def test_the_table_has_every_route_once() -> None:
    routes = [(route.method, route.path) for route in ROUTES]
    assert len(set(routes)) == len(routes) == 76


@pytest.mark.parametrize(
    "path", ["/", "/v1/health", "/v1/agents", "/v1/acp", "/v1/processes", "/v1/fs/entries?path=/"]
)
def test_what_answers_get_answers_head(server: ServerProcess, path: str) -> None:
    with server.client() as client:
        head = client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == client.get(path).headers["content-type"]


@pytest.mark.parametrize("path", ["/v1/health", "/v1/acp/x", "/v1/fs/file", "/v1/processes/run"])
def test_another_method_is_told_which_there_are(server: ServerProcess, path: str) -> None:
    with server.client() as client:
        answer = client.patch(path)
    assert answer.status_code == 405
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    "path", ["/v1/health/", "/v1/agents/", "/v1/processes/", "/v1/fs/entries/"]
)
def test_a_slash_at_the_end_is_another_path(server: ServerProcess, path: str) -> None:
    with server.client() as client:
        assert client.get(path).status_code == 404
