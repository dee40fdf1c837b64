"""The Inspector's files at `/ui/`: which path is what, what a page may do, and what is said where there are none."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from asgi_call import HeaderList, code_of, request
from sandbox_agent_core.inspector import FOLDER, inspector_link
from sandbox_agent_inspector.serving import Files
from sandbox_agent_server.http import inspector
from sandbox_agent_server.http.errors import exception_handlers
from sandbox_agent_server.http.guard import Guard
from sandbox_agent_server.http.inspector import (
    Inspector,
    InspectorAddresses,
)
from starlette.applications import Starlette
from starlette.types import ASGIApp

HERE = {"host": "127.0.0.1:2468"}
SCRIPT = b"console.log('the app');\n" * 100
PAGE = '<meta property="csp-nonce" nonce="__CSP_NONCE__"><script src="/ui/assets/index-B4x_9.js"></script>'


@pytest.fixture
def static(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "assets" / "index-B4x_9.js.gz").write_bytes(gzip.compress(SCRIPT))
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / "built-from").write_text("abc")
    (tmp_path / "secret.txt").write_text("nobody's business")
    return folder


def app(static: Path | None, **options: Any) -> ASGIApp:
    routes = Inspector(None if static is None else Files(static, **options)).routes
    inner = Starlette(routes=routes, exception_handlers=exception_handlers())
    inner.router.redirect_slashes = False
    guard = Guard(
        inner, token="t", bound_host="127.0.0.1", allow_hosts=(), cors_origins=(), public=[FOLDER],
        open_paths=["/ui"],
    )  # fmt: skip
    return InspectorAddresses(guard)


@pytest.mark.parametrize(
    "path", ["/ui/", "/ui/s/ses_1", "/ui/s/ses_1/e/50", "/ui/inbox", "/ui/index.html", "/ui/new"]
)
async def test_every_path_of_the_app_is_its_page_without_a_token(static: Path, path: str) -> None:
    answer = await request(app(static), path=path, headers=HERE)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert b"/ui/assets/index-B4x_9.js" in answer.body


# As they are decoded: `/ui/files/a%20b/.env`, `/ui/files/100%25`.
@pytest.mark.parametrize(
    "path",
    ["/ui/files/a b/.env", "/ui/files/.git/config", "/ui/files/100%", "/ui/files/\u202egpj.exe", "/ui/files/<img src=x>",
     "/ui/files/a;b", "/ui/files/two\nlines", "/ui/files/a b/", "/ui/files/back\\slash", "/ui/files/...", "/ui/files/%20"],
)  # fmt: skip
async def test_an_address_with_any_name_in_it_is_the_page(static: Path, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = await request(app(static), method, path, HERE)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (await request(app(static), "POST", path, HERE)).status == 401


async def test_each_answer_has_a_nonce_of_its_own_and_a_policy_with_it(static: Path) -> None:
    nonces = set()
    for _ in range(3):
        answer = await request(app(static), path="/ui/", headers=HERE)
        match = re.search(rb'nonce="([\w-]{20,})"', answer.body)
        assert match
        nonces.add(nonce := match[1].decode())
        policy = answer.headers["content-security-policy"]
        assert f"style-src 'self' 'nonce-{nonce}'" in policy
        assert b"__CSP_NONCE__" not in answer.body
    assert len(nonces) == 3


async def test_a_page_may_do_no_more_than_it_needs(static: Path) -> None:
    headers = (await request(app(static), path="/ui/", headers=HERE)).headers
    policy = dict(
        part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["worker-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    # Ports have origins of their own where the page is reached at a loopback address; this one's is never in a frame.
    assert policy.pop("frame-src") == f"http://*.localhost{HERE['host'].removeprefix('127.0.0.1')}"
    assert not any("unsafe" in each or "http:" in each or "*" in each for each in policy.values())
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"


async def test_a_page_may_call_the_origins_that_are_named(static: Path) -> None:
    answer = await request(app(static, connect=("https://b.example",)), path="/ui/", headers=HERE)
    assert "connect-src 'self' https://b.example;" in answer.headers["content-security-policy"]


async def test_files_are_kept_forever_as_they_are_or_compressed(static: Path) -> None:
    path = "/ui/assets/index-B4x_9.js"
    plain = await request(app(static), path=path, headers=HERE)
    small = await request(app(static), path=path, headers={**HERE, "accept-encoding": "br, gzip"})
    assert (plain.body, gzip.decompress(small.body)) == (SCRIPT, SCRIPT)
    assert small.headers["content-encoding"] == "gzip"
    for answer in (plain, small):
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert int(answer.headers["content-length"]) == len(answer.body)
    assert plain.headers["etag"] != small.headers["etag"]


@pytest.mark.parametrize("refused", ["gzip;q=0", "gzip; q=0.0", "identity", "br"])
async def test_who_refuses_gzip_gets_none(static: Path, refused: str) -> None:
    headers = {**HERE, "accept-encoding": refused}
    answer = await request(app(static), path="/ui/assets/index-B4x_9.js", headers=headers)
    assert "content-encoding" not in answer.headers
    assert answer.body == SCRIPT


async def test_what_is_known_is_not_sent_again(static: Path) -> None:
    first = await request(app(static), path="/ui/favicon.svg", headers=HERE)
    assert (first.headers["content-type"], first.headers["cache-control"]) == (
        "image/svg+xml",
        "no-cache",
    )
    for known in (first.headers["etag"], f'"x", W/{first.headers["etag"]}'):
        again = await request(
            app(static), path="/ui/favicon.svg", headers={**HERE, "if-none-match": known}
        )
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]


async def test_head_answers_as_get_does_without_a_body(static: Path) -> None:
    for path in ("/ui/", "/ui/assets/index-B4x_9.js"):
        got = await request(app(static), path=path, headers=HERE)
        head = await request(app(static), "HEAD", path, HERE)
        assert head.status == 200
        assert head.headers["content-length"] == got.headers["content-length"]


async def test_a_file_of_another_build_is_no_page(static: Path) -> None:
    answer = await request(app(static), path="/ui/assets/index-OLD.js", headers=HERE)
    assert code_of(answer) == (404, "not_found")


# As servers decode them: `/ui/%2e%2e/secret.txt` comes as the first.
@pytest.mark.parametrize(
    "path",
    ["/ui/../secret.txt", "/ui/../../secret.txt", "/ui/assets/../../secret.txt", "/ui/..\\secret.txt", "/ui//secret.txt",
     "/ui//etc/passwd", "/ui/assets/..", "/ui/./index.html", "/ui/%2e%2e/secret.txt", "/ui/\x00", "/ui/.vite/manifest.json",
     "/ui/built-from", "/ui/assets/", "/ui/assets"],
)  # fmt: skip
@pytest.mark.parametrize(
    "headers", [HERE, {**HERE, "authorization": "Bearer t"}], ids=["nobody", "owner"]
)
async def test_no_path_leads_out_of_the_folder(
    static: Path, path: str, headers: HeaderList
) -> None:
    answer = await request(app(static), path=path, headers=headers)
    assert answer.status in (200, 401, 404)
    assert b"nobody's" not in answer.body
    if answer.status == 200:
        assert b'property="csp-nonce"' in answer.body


async def test_a_name_is_not_decoded_without_end(static: Path) -> None:
    """Each `25` is one more reading: a path of 60 kB, which nobody needs a token for, kept the server for seconds."""
    few, many = (f"/ui/files/%{'25' * times}41" for times in (3, 30))
    assert (await request(app(static), path=few, headers=HERE)).status == 200
    assert (await request(app(static), path=many, headers=HERE)).status == 401


async def test_a_new_build_is_served_without_a_restart(static: Path) -> None:
    served = app(static)
    await request(served, path="/ui/", headers=HERE)
    (static / "assets" / "index-NEW.js").write_text("new")
    (static / "index.html").unlink()
    (static / "index.html").write_text("a new page")
    assert (await request(served, path="/ui/", headers=HERE)).body == b"a new page"
    assert (await request(served, path="/ui/assets/index-NEW.js", headers=HERE)).body == b"new"


async def test_it_knows_of_no_other_servers(static: Path) -> None:
    answer = await request(app(static), path="/ui/servers.json", headers=HERE)
    assert (answer.status, answer.body) == (204, b"")


async def test_without_its_slash_it_is_a_redirect(static: Path) -> None:
    answer = await request(app(static), path="/ui", headers=HERE)
    assert (answer.status, answer.headers["location"]) == (307, "/ui/")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_is_written_there(static: Path, method: str) -> None:
    assert (await request(app(static), method, "/ui/", HERE)).status == 401
    owner = {**HERE, "authorization": "Bearer t"}
    assert code_of(await request(app(static), method, "/ui/", owner)) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("is_installed", "todo"),
    [(False, b"sandbox-agent-server[inspector]"), (True, b"make inspector")],
)
async def test_where_there_is_none_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, is_installed: bool, todo: bytes
) -> None:
    monkeypatch.setattr(inspector, "find_spec", lambda _name: object() if is_installed else None)
    page = await request(app(None), path="/ui/", headers={**HERE, "accept": "text/html,*/*"})
    assert page.status == 404
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    problem = await request(app(None), path="/ui/s/ses_1", headers=HERE)
    assert code_of(problem) == (404, "not_found")
    assert todo in page.body
    assert todo in problem.body


def test_a_link_has_the_token_where_no_server_sees_it() -> None:
    assert inspector_link("http://127.0.0.1:1/", "a-b_c") == "http://127.0.0.1:1/ui/#token=a-b_c"
    assert inspector_link("http://a", "a#b&c=ä") == "http://a/ui/#token=a%23b%26c%3D%C3%A4"
    assert inspector_link("https://x.example/base", None) == "https://x.example/base/ui/"


def test_a_link_goes_to_an_address_of_the_machine_when_the_server_has_all_of_them() -> None:
    assert inspector_link("http://0.0.0.0:1", None) == "http://127.0.0.1:1/ui/"
    assert inspector_link("http://[::]:1", "t") == "http://[::1]:1/ui/#token=t"
