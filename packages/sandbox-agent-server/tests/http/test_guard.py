"""Who is let in: by which name, from which page, with which token; and what a refusal says."""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import unquote

import pytest
from asgi_call import Reached, code_of, request, websocket
from hypothesis import given
from hypothesis import strategies as st
from sandbox_agent_server.http.callers import NOBODY, OWNER, caller_of
from sandbox_agent_server.http.guard import Guard
from starlette.requests import HTTPConnection

TOKEN = "t0ken-of-the-test"
HERE = {"host": "127.0.0.1:2468"}
BEARER = {**HERE, "authorization": f"Bearer {TOKEN}"}
CONSOLE = "https://console.example"


def guard(inner: Reached | None = None, **options: Any) -> Guard:
    settings = {
        "token": TOKEN,
        "bound_host": "127.0.0.1",
        "allow_hosts": (),
        "cors_origins": (CONSOLE,),
        **options,
    }
    return Guard(inner or Reached(), **settings)


# The token


async def test_the_token_opens_in_any_case_of_its_scheme() -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        headers = {**HERE, "authorization": f"{scheme} {TOKEN}"}
        assert (await request(guard(), headers=headers)).status == 200


@pytest.mark.parametrize(
    "authorization",
    ["Bearer wrong", f"Bearer  {TOKEN}", f"Bearer {TOKEN} ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}",
     f"Bearer {TOKEN.upper()}", f"Basic {TOKEN}", f"Token {TOKEN}", f"Bearer\t{TOKEN}", f"Bearer {TOKEN}, Bearer x",
     "Bearer \u00e9\u00e8", "Bearer \x00"],
)  # fmt: skip
async def test_almost_the_token_is_refused(authorization: str) -> None:
    inner = Reached()
    answer = await request(guard(inner), headers={**HERE, "authorization": authorization})
    assert code_of(answer) == (401, "token_invalid")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert inner.scopes == []


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", TOKEN])
async def test_no_token_is_asked_for(authorization: str) -> None:
    answer = await request(guard(), headers={**HERE, "authorization": authorization})
    assert code_of(answer) == (401, "token_invalid")
    assert "Authorization: Bearer" in answer.json()["detail"]


async def test_a_refusal_does_not_depend_on_how_much_of_the_token_was_right() -> None:
    said = set()
    for wrong in ("x", TOKEN[:-1], TOKEN + "x", "y" * 10_000):
        answer = await request(guard(), headers={**HERE, "authorization": f"Bearer {wrong}"})
        said.add(answer.body)
    assert len(said) == 1
    assert TOKEN.encode() not in said.pop()


async def test_a_token_in_the_query_is_no_token() -> None:
    scope_path = f"/v1/health?token={TOKEN}"
    assert (await request(guard(), path=scope_path, headers=HERE)).status == 401


async def test_a_second_authorization_header_does_not_help_a_wrong_first_one() -> None:
    headers = [*HERE.items(), ("authorization", "Bearer no"), ("authorization", f"Bearer {TOKEN}")]
    assert (await request(guard(), headers=headers)).status == 401


async def test_without_a_token_nobody_is_asked_for_one_but_pages_stay_out() -> None:
    open_guard = guard(token=None)
    assert (await request(open_guard, headers=HERE)).status == 200
    assert (await request(open_guard, headers={"host": "evil.example"})).status == 403
    page = {**HERE, "origin": "https://evil.example"}
    assert (await request(open_guard, headers=page)).status == 403


async def test_an_empty_token_is_still_a_token() -> None:
    assert (await request(guard(token=""), headers=HERE)).status == 401


# Where the token may be

IN_OUR_HEADER = ("x-sandbox-agent-token", TOKEN)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ([IN_OUR_HEADER], 200),
        ([IN_OUR_HEADER, ("authorization", f"Bearer {TOKEN}")], 200),
        # A gateway's own
        ([IN_OUR_HEADER, ("authorization", "Basic dXNlcjpwYXNz")], 200),
        ([("authorization", "Basic dXNlcjpwYXNz"), IN_OUR_HEADER], 200),
        ([IN_OUR_HEADER, ("authorization", "Negotiate")], 200),
        ([("authorization", "Basic dXNlcjpwYXNz")], 401),
        # Two opinions
        ([IN_OUR_HEADER, ("authorization", "Bearer another-token")], 401),
        ([("authorization", f"Bearer {TOKEN}"), ("x-sandbox-agent-token", "another-token")], 401),
        ([IN_OUR_HEADER, ("x-sandbox-agent-token", "another-token")], 401),
        ([("authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer another-token")], 401),
        # Almost
        ([("x-sandbox-agent-token", f"Bearer {TOKEN}")], 401),
        ([("x-sandbox-agent-token", TOKEN[:-1])], 401),
        ([("x-sandbox-agent-token", "")], 401),
        ([("x-sandbox-agent-token", ""), ("authorization", f"Bearer {TOKEN}")], 200),
        ([("x-sandbox-agent-token", "\u00e9\u00e8")], 401),
    ],
)  # fmt: skip
async def test_a_token_may_be_in_our_header_and_two_must_not_differ(
    sent: list[tuple[str, str]], status: int
) -> None:
    answer = await request(guard(), headers=[*HERE.items(), *sent])
    assert answer.status == status
    assert TOKEN.encode() not in answer.body
    assert b"another-token" not in answer.body
    (first, *_) = await websocket(guard(), headers=[*HERE.items(), *sent])
    assert (first["type"] == "websocket.accept") == (status == 200)


async def test_a_refusal_names_both_headers() -> None:
    answer = await request(guard(), headers={**HERE, "authorization": "Basic dXNlcjpwYXNz"})
    detail = answer.json()["detail"]
    assert "Authorization: Bearer TOKEN" in detail
    assert "X-Sandbox-Agent-Token: TOKEN" in detail


# The token of a WebSocket


@pytest.mark.parametrize(
    ("headers", "is_let_in"),
    [
        ({"authorization": "Basic dXNlcjpwYXNz"}, True),
        ({"x-sandbox-agent-token": TOKEN}, True),
        ({"x-sandbox-agent-token": "another-token"}, False),
    ],
)
async def test_a_subprotocol_stands_beside_the_headers(
    headers: dict[str, str], is_let_in: bool
) -> None:
    offered = ("sandbox-agent", f"bearer.{TOKEN}")
    sent = await websocket(guard(), headers={**HERE, **headers}, subprotocols=offered)
    assert (sent[0]["type"] == "websocket.accept") == is_let_in


async def test_a_subprotocol_may_be_percent_encoded() -> None:
    strict = guard(token="a/b=c d-and-more")
    sent = await websocket(strict, headers=HERE, subprotocols=("bearer.a%2Fb%3Dc%20d-and-more",))
    assert sent[0]["type"] == "websocket.accept"


async def test_a_websocket_is_let_in_by_header_or_by_subprotocol() -> None:
    offered = ("sandbox-agent", f"bearer.{TOKEN}")
    assert (await websocket(guard(), headers=BEARER))[0]["type"] == "websocket.accept"
    sent = await websocket(guard(), headers=HERE, subprotocols=offered)
    assert sent[0]["type"] == "websocket.accept"


@pytest.mark.parametrize(
    "offered",
    [(), ("sandbox-agent",), ("bearer.wrong",), ("bearer.",), (TOKEN,), (f"Bearer.{TOKEN}",),
     ("bearer.wrong", f"bearer.{TOKEN}")],
)  # fmt: skip
async def test_a_websocket_without_the_token_is_refused_before_it_opens(
    offered: tuple[str, ...],
) -> None:
    inner = Reached()
    (close,) = await websocket(guard(inner), headers=HERE, subprotocols=offered)
    assert (close["type"], close["code"]) == ("websocket.close", 1008)
    assert close["reason"] == "token_invalid"
    assert inner.scopes == []


async def test_a_wrong_header_is_not_mended_by_the_subprotocol() -> None:
    headers = {**HERE, "authorization": "Bearer wrong"}
    (close,) = await websocket(guard(), headers=headers, subprotocols=(f"bearer.{TOKEN}",))
    assert close["type"] == "websocket.close"


async def test_a_subprotocol_opens_no_plain_request() -> None:
    headers = {**HERE, "sec-websocket-protocol": f"bearer.{TOKEN}"}
    assert (await request(guard(), headers=headers)).status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"host": "evil.example"}, 403), ({**HERE, "origin": "https://evil.example"}, 403), (HERE, 401)],
)  # fmt: skip
async def test_a_websocket_is_refused_with_a_problem_where_the_server_can_send_one(
    headers: dict[str, str], status: int
) -> None:
    sent = await websocket(guard(), headers=headers, can_refuse_over_http=True)
    assert sent[0]["type"] == "websocket.http.response.start"
    assert sent[0]["status"] == status


# The name it was called by


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:1", "127.1.2.3:99", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8", "sandbox.example",
     "Sandbox.EXAMPLE:443", "[fd00::1]:2468"],
)  # fmt: skip
async def test_the_names_of_this_machine_are_let_in(host: str) -> None:
    named = guard(allow_hosts=["Sandbox.Example", "fd00::1"])
    assert (await request(named, headers={**BEARER, "host": host})).status == 200


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:2468", "127.evil.example", "127.0.0.1.evil.example",
     "localhost.evil.example", "evil-localhost", "0.0.0.0", "[::]", "[::ffff:10.0.0.1]", "10.0.0.1", "2130706433", "0x7f.1",
     "127.1", "localhost.", "[", "]", "[::1", "127.0.0.1@evil.example", "127.0.0.1 evil.example", ":2468", "xn--", "\u00e9",
     "evil.example@127.0.0.1", "127.0.0.1/evil.example", "localhost#evil.example", "localhost?evil.example"],
)  # fmt: skip
async def test_a_name_that_is_not_ours_is_refused_with_or_without_the_token(host: str) -> None:
    inner = Reached()
    for headers in (BEARER, HERE):
        answer = await request(guard(inner), headers={**headers, "host": host})
        assert code_of(answer) == (403, "permission_denied")
    assert inner.scopes == []


async def test_a_request_that_names_no_host_is_refused() -> None:
    answer = await request(guard(), headers={"authorization": f"Bearer {TOKEN}"})
    assert code_of(answer) == (403, "permission_denied")


async def test_on_a_network_the_name_is_whatever_the_network_says_and_the_token_counts() -> None:
    public = guard(bound_host="0.0.0.0")
    assert (await request(public, headers={**BEARER, "host": "box.internal"})).status == 200
    assert (await request(public, headers={"host": "box.internal"})).status == 401


# The page it comes from


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "", "http://[", "https://console.example.evil.example",
     "http://console.example", "https://console.example:8443", "https://console.example/", "HTTPS://CONSOLE.EXAMPLE", "file://",
     "http://127.0.0.1", "http://127.0.0.1:2469", "http://localhost:2468", "127.0.0.1:2468"],
)  # fmt: skip
async def test_a_page_of_another_origin_is_refused_and_cannot_read_why(origin: str) -> None:
    inner = Reached()
    answer = await request(guard(inner), headers={**BEARER, "origin": origin})
    assert code_of(answer) == (403, "permission_denied")
    assert "access-control-allow-origin" not in answer.headers
    assert inner.scopes == []


async def test_a_rebound_name_is_refused_though_its_origin_is_its_host() -> None:
    rebound = {"host": "evil.example:2468", "origin": "http://evil.example:2468"}
    answer = await request(guard(token=None), headers=rebound)
    assert code_of(answer) == (403, "permission_denied")


async def test_a_page_of_the_server_itself_and_an_allowed_one_are_let_in() -> None:
    for origin in ("http://127.0.0.1:2468", CONSOLE):
        answer = await request(guard(), headers={**BEARER, "origin": origin})
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == origin
        assert answer.headers["vary"] == "Origin"


async def test_any_origin_may_be_let_in_and_still_needs_the_token() -> None:
    anyone = guard(cors_origins=["*"])
    origin = {"origin": "https://anyone.example"}
    answer = await request(anyone, headers={**BEARER, **origin})
    assert answer.headers["access-control-allow-origin"] == origin["origin"]
    assert (await request(anyone, headers={**HERE, **origin})).status == 401


async def test_an_allowed_page_can_read_why_it_was_refused() -> None:
    answer = await request(guard(), headers={**HERE, "origin": CONSOLE})
    assert code_of(answer) == (401, "token_invalid")
    assert answer.headers["access-control-allow-origin"] == CONSOLE
    assert answer.headers["vary"] == "Origin"


async def test_who_is_no_page_gets_no_cors_headers() -> None:
    answer = await request(guard(), headers=BEARER)
    assert "access-control-allow-origin" not in answer.headers
    assert "vary" not in answer.headers


# What is public: the files of a page, which come before its token does


def showing(inner: Reached | None = None, **options: Any) -> Guard:
    return guard(inner, public=("/ui/", "/docs/assets/"), **options)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path",
    ["/ui/", "/ui/index.html", "/ui/assets/", "/ui/assets/index-B4x_9.min.js", "/docs/assets/logo.svg", "/ui/v1/sessions"],
)  # fmt: skip
async def test_a_public_file_needs_no_token_and_minds_no_wrong_one(method: str, path: str) -> None:
    for headers in (HERE, {**HERE, "authorization": "Bearer of-yesterday"}):
        assert (await request(showing(), method, path, headers)).status == 200


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"host": ""}, {**HERE, "origin": "https://evil.example"},
     {"host": "evil.example", "origin": "http://evil.example"}],
)  # fmt: skip
async def test_a_public_file_is_still_for_this_host_and_these_origins_only(
    headers: dict[str, str],
) -> None:
    inner = Reached()
    answer = await request(showing(inner), path="/ui/index.html", headers=headers)
    assert code_of(answer) == (403, "permission_denied")
    assert inner.scopes == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "TRACE"])
async def test_a_public_file_may_only_be_read(method: str) -> None:
    assert (await request(showing(), method, "/ui/index.html", HERE)).status == 401


# As servers decode them: `/ui/%2e%2e/v1` and `/ui/..%2fv1` come as the first, `%252e` as `%2e`.
@pytest.mark.parametrize(
    "path",
    ["/ui/../v1/sessions", "/ui/..", "/ui/../", "/ui/./../v1/sessions", "/ui/x/../../v1/sessions", "/ui/.", "/ui/./",
     "/ui/%2e%2e/v1/sessions", "/ui/%2E%2E/v1", "/ui/..%2fv1/sessions", "/ui/%2f..%2fv1", "/ui/%", "/ui/..\\v1\\sessions", "/ui/\\..\\v1",
     "/ui//v1/sessions", "/ui///", "//ui/index.html", "/ui//../v1", "/./ui/x", "/x/../ui/x", "//evil.example/ui/",
     "/UI/index.html", "/Ui/", "/\u1d41i/", "/ui", "/uix", "/ui-x/", "/ui.html", "/u", "", "/", "ui/", " /ui/", "*", "/v1/ui/x", "/v1/sessions",
     "/docs/", "/docs/x", "/ui/..;/v1/sessions", "/ui/x;y", "/ui/x?y", "/ui/x#y", "/ui/\x00", "/ui/x\n", "/ui/x\r\n", "/ui/\n../v1",
     "/ui/\uff0e\uff0e/v1", "/ui/x y", "/ui/.git/config", "/ui/x/.env", "http://127.0.0.1:2468/ui/x"],
)  # fmt: skip
async def test_no_path_that_could_be_read_in_two_ways_is_public(path: str) -> None:
    inner = Reached()
    assert code_of(await request(showing(inner), path=path, headers=HERE))[0] == 401
    assert inner.scopes == []
    assert (await request(showing(), path=path, headers=BEARER)).status == 200


@given(st.text(st.sampled_from("ui/.v1%2e\\;\n ?#") | st.characters(codec="utf-8"), max_size=12))
async def test_what_is_public_stays_below_its_folder_however_it_is_read(rest: str) -> None:
    path = f"/ui/{rest}"
    if (await request(showing(), path=path, headers=HERE)).status == 401:
        return
    for read in (path, unquote(path), path.replace("\\", "/"), path.partition(";")[0]):
        assert (posixpath.normpath(read) + "/").startswith("/ui/")
        assert "//" not in read


async def test_a_websocket_is_never_public() -> None:
    (close,) = await websocket(showing(), "/ui/index.html", headers=HERE)
    assert close["type"] == "websocket.close"


async def test_nothing_is_public_unless_it_was_said() -> None:
    for path in ("/", "/ui/", "/openapi.json", "/v1/health"):
        assert (await request(guard(), path=path, headers=HERE)).status == 401


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_open_path_knows_whoever_shows_nothing_as_nobody(method: str) -> None:
    inner = Reached()
    app = guard(inner, open_paths=["/"])
    assert (await request(app, method, "/", HERE)).status == 200
    assert (await request(app, method, "/", BEARER)).status == 200
    nobody, owner = (caller_of(HTTPConnection(scope)) for scope in inner.scopes)
    assert nobody is NOBODY
    assert owner is OWNER


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [("POST", "/", {}), ("GET", "//", {}), ("GET", "/x", {}), ("GET", "/", {"authorization": "Bearer wrong"}),
     ("GET", "/", {"authorization": TOKEN}), ("GET", "/", {"x-sandbox-agent-token": "wrong"})],
)  # fmt: skip
async def test_an_open_path_is_open_to_nothing_else(
    method: str, path: str, headers: dict[str, str]
) -> None:
    inner = Reached()
    answer = await request(guard(inner, open_paths=["/"]), method, path, {**HERE, **headers})
    assert code_of(answer) == (401, "token_invalid")
    assert inner.scopes == []


async def test_a_websocket_is_never_open() -> None:
    (close,) = await websocket(guard(open_paths=["/v1/sessions/ses_1/ws"]), headers=HERE)
    assert close["type"] == "websocket.close"


@pytest.mark.parametrize(
    "folder", ["/ui", "ui/", "/", "//", "", "/ui/../", "/ui//", "/ui/*/", "/u i/"]
)
def test_what_is_no_folder_cannot_be_made_public(folder: str) -> None:
    with pytest.raises(ValueError, match="folder"):
        guard(public=(folder,))


# What browsers ask before they call


async def test_a_preflight_needs_no_token_and_reaches_nobody() -> None:
    inner = Reached()
    asked = {
        **HERE,
        "origin": CONSOLE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    answer = await request(guard(inner), "OPTIONS", "/v1/sessions", asked)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == CONSOLE
    assert answer.headers["access-control-allow-headers"] == "authorization,content-type"
    assert set(answer.headers["access-control-allow-methods"].split(", ")) >= {"POST", "DELETE"}
    assert inner.scopes == []


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example", "host": "127.0.0.1"}, {"origin": "http://evil.example", "host": "evil.example"}],
)  # fmt: skip
async def test_a_preflight_of_another_page_is_refused(headers: dict[str, str]) -> None:
    asked = {**headers, "access-control-request-method": "POST"}
    answer = await request(guard(), "OPTIONS", headers=asked)
    assert code_of(answer) == (403, "permission_denied")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("method", "headers"),
    [("OPTIONS", {}), ("OPTIONS", {"origin": CONSOLE}), ("OPTIONS", {"access-control-request-method": "GET"}),
     ("GET", {"origin": CONSOLE, "access-control-request-method": "GET"})],
)  # fmt: skip
async def test_what_only_looks_like_a_preflight_needs_the_token(
    method: str, headers: dict[str, str]
) -> None:
    assert (await request(guard(), method, headers={**HERE, **headers})).status == 401


async def test_the_lifespan_of_the_application_is_nobodys_call() -> None:
    inner = Reached()

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    await guard(inner)({"type": "lifespan"}, nothing, nothing)
    assert [scope["type"] for scope in inner.scopes] == ["lifespan"]
