"""`/v1/fs` over real sockets: shapes and codes, bodies of any length, and clients that stop halfway."""

from __future__ import annotations

import gzip
import io
import os
import socket
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from support.server import ServerProcess, until
from support.sockets import read_until

WATCHERS = 20
HUGE = 2 * 1024**3 + 4096


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home").resolve()


@pytest.fixture(scope="module")
def server(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    running = ServerProcess(
        tmp_path_factory.mktemp("server"),
        env={"HOME": str(home)},
        config="[limits]\nupload_stall_s = 0.5\nmax_upload_bytes = 100000000\n"
        f"max_subscribers = {WATCHERS}\n",
    )
    yield running.start()
    running.stop()


@pytest.fixture
def here(home: Path, request: pytest.FixtureRequest) -> Path:
    directory = home / request.node.name
    directory.mkdir()
    return directory


@pytest.fixture(scope="module")
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def put(http: httpx.Client, path: object, content: bytes = b"x", **query: str) -> httpx.Response:
    params = {"path": str(path), **query}
    return http.put("/v1/fs/file", params=params, content=content)


def get(http: httpx.Client, path: object, **headers: str) -> httpx.Response:
    wanted = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.get("/v1/fs/file", params={"path": str(path)}, headers=wanted)


def test_a_file_goes_in_and_out_in_the_shapes_of_old(
    http: httpx.Client, here: Path, home: Path
) -> None:
    name = f"{here.name}/deep/a.txt"
    answer = put(http, name, b"hello")
    assert (answer.status_code, answer.json()["bytesWritten"]) == (200, 5)
    assert answer.json()["path"] == str(home / name)
    answer = get(http, name)
    assert (answer.status_code, answer.content) == (200, b"hello")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == "5"
    stat = http.get("/v1/fs/stat", params={"path": name}).json()
    assert (stat["path"], stat["entryType"], stat["size"]) == (str(home / name), "file", 5)
    assert stat["modified"].endswith("+00:00")
    assert len(stat["modified"]) == len("2026-11-23T04:01:03.571074218+00:00")
    assert stat["kind"] == "file"
    assert stat["etag"] == answer.headers["etag"]


def test_a_directory_is_a_sorted_array_in_which_a_link_says_so(
    http: httpx.Client, here: Path
) -> None:
    for name in ("c", "a", "b"):
        (here / name).write_text(name)
    (here / "d").mkdir()
    (here / "link").symlink_to("d")
    os.mkfifo(here / "pipe")
    entries = http.get("/v1/fs/entries", params={"path": str(here)}).json()
    assert [(one["name"], one["entryType"], one["kind"]) for one in entries] == [
        ("a", "file", "file"), ("b", "file", "file"), ("c", "file", "file"),
        ("d", "directory", "directory"), ("link", "file", "symlink"), ("pipe", "file", "fifo"),
    ]  # fmt: skip
    assert entries[0]["path"] == str(here / "a")
    assert entries[4]["symlinkTarget"] == "d"
    page = http.get("/v1/fs/entries", params={"path": str(here), "after": "a", "limit": "2"})
    assert [one["name"] for one in page.json()] == ["b", "c"]
    at_home = http.get("/v1/fs/entries").json()
    assert here.name in [one["name"] for one in at_home]


def test_names_of_any_bytes_come_and_go(http: httpx.Client, here: Path) -> None:
    odd = os.fsdecode(b"odd \xff\n%41")
    (here / odd).write_text("odd")
    (entry,) = http.get("/v1/fs/entries", params={"path": str(here)}).json()
    assert entry["name"] == odd
    raw = f"/v1/fs/file?path={here}/odd%20%FF%0A%2541"
    assert http.get(raw).text == "odd"


@pytest.mark.parametrize(
    ("method", "route", "query", "expected"),
    [
        ("GET", "file", {"path": "nope"}, (404, "path_not_found")),
        ("GET", "stat", {"path": "nope/below"}, (404, "path_not_found")),
        ("GET", "entries", {"path": "nope"}, (404, "path_not_found")),
        ("DELETE", "entry", {"path": "nope"}, (404, "path_not_found")),
        ("GET", "file", {"path": "."}, (400, "not_a_file")),
        ("GET", "file", {"path": ""}, (400, "not_a_file")),
        ("GET", "file", {}, (400, "invalid_request")),
        ("PUT", "file", {"path": "/"}, (403, "path_forbidden")),
        ("GET", "file", {"path": "../../etc/passwd"}, (400, "invalid_request")),
        ("GET", "file", {"path": "w/../../x"}, (400, "invalid_request")),
        ("GET", "file", {"path": "a\0b"}, (400, "invalid_request")),
        ("GET", "file", {"path": "/dev/zero"}, (400, "not_a_file")),
        ("PUT", "file", {"path": "/dev/null"}, (400, "not_a_file")),
        ("PUT", "file", {"path": "x", "mode": "4755"}, (400, "invalid_request")),
        ("GET", "file", {"path": "/proc/self/fd/0"}, (400, "not_a_file")),
        ("GET", "entries", {"path": "/etc/hosts"}, (400, "not_a_directory")),
        ("POST", "mkdir", {"path": "/etc/hosts/below"}, (400, "not_a_directory")),
        ("DELETE", "entry", {"path": "/"}, (403, "path_forbidden")),
        ("GET", "entries", {"limit": "0"}, (400, "invalid_request")),
    ],
)  # fmt: skip
def test_a_refusal_says_what_is_wrong(
    http: httpx.Client, method: str, route: str, query: dict[str, str], expected: tuple[int, str]
) -> None:
    assert code_of(http.request(method, f"/v1/fs/{route}", params=query)) == expected


def test_a_fifo_is_neither_read_nor_written(http: httpx.Client, here: Path) -> None:
    os.mkfifo(here / "fifo")
    assert code_of(get(http, here / "fifo")) == (400, "not_a_file")
    assert code_of(put(http, here / "fifo")) == (400, "not_a_file")


def test_moving_replaces_only_when_told_and_loses_nothing(http: httpx.Client, here: Path) -> None:
    def move(source: str, target: str, **more: bool) -> httpx.Response:
        body = {"from": str(here / source), "to": str(here / target), **more}
        return http.post("/v1/fs/move", json=body)

    (here / "a").write_text("a")
    (here / "b").write_text("b")
    assert code_of(move("a", "b")) == (409, "path_exists")
    assert move("a", "a", overwrite=True).json() == {"from": str(here / "a"), "to": str(here / "a")}
    assert code_of(move("nope", "b", overwrite=True)) == (404, "path_not_found")
    assert ((here / "a").read_text(), (here / "b").read_text()) == ("a", "b")
    assert move("a", "b", overwrite=True).status_code == 200
    assert (here / "b").read_text() == "a"
    assert move("b", "new/below/c").status_code == 200
    assert (here / "new/below/c").read_text() == "a"
    assert http.post("/v1/fs/move", json={"from": 1}).status_code == 400


def test_removing_takes_a_directory_with_its_contents_only_when_told(
    http: httpx.Client, here: Path
) -> None:
    (here / "d/e").mkdir(parents=True)
    (here / "kept").write_text("kept")
    (here / "d/e/out").symlink_to(here / "kept")
    (here / "broken").symlink_to("nowhere")

    def remove(name: str, **more: str) -> httpx.Response:
        return http.delete("/v1/fs/entry", params={"path": str(here / name), **more})

    assert code_of(remove("d")) == (409, "directory_not_empty")
    assert remove("d", recursive="true").json() == {"path": str(here / "d")}
    assert remove("broken").status_code == 200
    assert sorted(one.name for one in here.iterdir()) == ["kept"]


def test_a_range_is_a_part_and_what_is_no_range_is_all(http: httpx.Client, here: Path) -> None:
    file = here / "digits"
    file.write_bytes(b"0123456789")

    def part(text: str, **more: str) -> tuple[int, bytes, str | None]:
        answer = get(http, file, range=text, **more)
        return answer.status_code, answer.content, answer.headers.get("content-range")

    assert part("bytes=2-4") == (206, b"234", "bytes 2-4/10")
    assert part("bytes=7-") == part("bytes=-3") == (206, b"789", "bytes 7-9/10")
    assert part("bytes=8-99") == (206, b"89", "bytes 8-9/10")
    for other in ("bytes=0-1,4-5", "bytes=5-2", "bytes=-", "lines=1-2", "bytes=x-y"):
        assert part(other) == (200, b"0123456789", None)
    answer = get(http, file, range="bytes=10-")
    assert code_of(answer) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == "bytes */10"
    etag = get(http, file).headers["etag"]
    assert part("bytes=0-0", if_range=etag)[0] == 206
    assert part("bytes=0-0", if_range='"other"')[0] == 200
    head = http.head("/v1/fs/file", params={"path": str(file)})
    assert (head.headers["content-length"], head.headers["accept-ranges"]) == ("10", "bytes")
    assert head.content == b""


def test_who_has_a_file_is_told_so_and_who_has_an_old_one_does_not_write_over_it(
    http: httpx.Client, here: Path
) -> None:
    file = here / "shared"
    etag = put(http, file, b"one").json()["etag"]
    first = get(http, file)
    assert first.headers["etag"] == etag
    for known in ({"if_none_match": etag}, {"if_modified_since": first.headers["last-modified"]}):
        answer = get(http, file, **known)
        assert (answer.status_code, answer.content) == (304, b"")

    def write(content: bytes, **headers: str) -> httpx.Response:
        wanted = {name.replace("_", "-"): value for name, value in headers.items()}
        params = {"path": str(file)}
        return http.put("/v1/fs/file", params=params, content=content, headers=wanted)

    assert write(b"two!", if_match=etag).status_code == 200
    assert code_of(write(b"three", if_match=etag)) == (412, "file_changed")
    assert code_of(write(b"three", if_none_match="*")) == (409, "path_exists")
    assert code_of(put(http, file, b"three", overwrite="false")) == (409, "path_exists")
    assert file.read_bytes() == b"two!"
    assert code_of(get(http, file, if_match=etag)) == (412, "file_changed")


def test_mode_and_owner_stay_when_a_file_is_replaced(http: httpx.Client, here: Path) -> None:
    script = here / "script"
    script.write_text("old")
    script.chmod(0o750)
    if os.geteuid() == 0:
        os.chown(script, 1234, 1235)
    put(http, script, b"new")
    status = script.stat()
    assert (script.read_text(), status.st_mode & 0o7777) == ("new", 0o750)
    if os.geteuid() == 0:
        assert (status.st_uid, status.st_gid) == (1234, 1235)
    put(http, script, b"secret", mode="0600")
    assert script.stat().st_mode & 0o7777 == 0o600


def test_a_link_is_written_through(http: httpx.Client, here: Path) -> None:
    (here / "link").symlink_to("real")
    put(http, here / "link", b"through")
    assert (here / "link").is_symlink()
    assert (here / "real").read_text() == "through"


def test_two_megabytes_are_no_wall(http: httpx.Client, here: Path) -> None:
    large = os.urandom(1024) * (5 * 1024)
    assert put(http, here / "large", large).json()["bytesWritten"] == len(large)
    assert get(http, here / "large").content == large
    chunked = http.put(
        "/v1/fs/file",
        params={"path": str(here / "chunked")},
        content=(large[at : at + 100_001] for at in range(0, len(large), 100_001)),
    )
    assert chunked.json()["bytesWritten"] == len(large)
    assert (here / "chunked").read_bytes() == large


def test_an_upload_over_the_limit_is_refused_and_leaves_nothing(
    http: httpx.Client, here: Path
) -> None:
    def too_much() -> Iterator[bytes]:
        for _ in range(101):
            yield b"\0" * 1_000_000

    answer = http.put("/v1/fs/file", params={"path": str(here / "big")}, content=too_much())
    assert code_of(answer) == (413, "payload_too_large")
    assert answer.json()["details"]["limit"] == "max_upload_bytes"
    assert list(here.iterdir()) == []


@contextmanager
def connected(
    server: ServerProcess, method: str, path: Path, headers: str, *, route: str = "file"
) -> Iterator[Any]:
    """A request whose head is sent."""
    address = urlsplit(server.url)
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        head = (
            f"{method} /v1/fs/{route}?path={path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"Authorization: Bearer {server.token}\r\n{headers}\r\n"
        )
        connection.sendall(head.encode())
        yield connection


@contextmanager
def half_sent(server: ServerProcess, path: Path, sent: bytes, length: int) -> Iterator[Any]:
    """A PUT of `length` bytes of which only some are sent."""
    with connected(server, "PUT", path, f"Content-Length: {length}\r\n") as connection:
        connection.sendall(sent)
        yield connection


@pytest.mark.parametrize("size", [10, 2_000_000])
def test_a_half_sent_file_leaves_nothing(server: ServerProcess, here: Path, size: int) -> None:
    target = here / "file"
    target.write_text("before")
    with half_sent(server, target, b"\0" * size, size + 1):
        if size > 1_000_000:
            until(lambda: len(list(here.iterdir())) == 2)
    until(lambda: list(here.iterdir()) == [target])
    assert target.read_text() == "before"


def test_an_upload_that_brings_nothing_any_more_is_ended(server: ServerProcess, here: Path) -> None:
    with half_sent(server, here / "file", b"\0" * 2_000_000, 3_000_000) as connection:
        said = b""
        while piece := connection.recv(4096):
            said += piece
        assert said.startswith(b"HTTP/1.1 408")
        assert b"upload_stall_s" in said
    until(lambda: list(here.iterdir()) == [])


def test_what_grows_or_shrinks_while_it_is_read_does_not_confuse_anybody(
    server: ServerProcess, http: httpx.Client, here: Path
) -> None:
    file = here / "log"
    file.write_bytes(b"\1" * 20_000_000)
    with http.stream("GET", "/v1/fs/file", params={"path": str(file)}) as answer:
        with file.open("ab") as more:
            more.write(b"\2" * 1000)
        received = b"".join(answer.iter_bytes())
    assert received == b"\1" * 20_000_000
    with http.stream("GET", "/v1/fs/file", params={"path": str(file)}) as answer:
        os.truncate(file, 100)
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
    assert "Traceback" not in server.log()


def test_a_file_of_proc_has_contents_though_it_has_no_size(http: httpx.Client) -> None:
    assert b"MemTotal" in get(http, "/proc/meminfo").content


def received_of(server: ServerProcess, path: Path) -> int:
    """How many bytes answer a GET, by a client that costs next to nothing."""
    with connected(server, "GET", path, "Connection: close\r\n") as connection:
        buffer, received = bytearray(4 * 1024 * 1024), 0
        while size := connection.recv_into(buffer):
            received += size
    return received


def test_memory_does_not_depend_on_the_size_of_a_file(
    server: ServerProcess, http: httpx.Client, here: Path
) -> None:
    with (here / "sparse").open("wb") as file:
        file.truncate(HUGE)
    get(http, here / "sparse", range="bytes=-4000000")  # what the first of its kind costs
    put(http, here / "warm", b"\0" * 4_000_000)
    before = server.peak_memory_mib()
    assert received_of(server, here / "sparse") > HUGE
    piece = b"\0" * 1_000_000
    content = (piece for _ in range(99))
    put_answer = http.put("/v1/fs/file", params={"path": str(here / "up")}, content=content)
    assert put_answer.json()["bytesWritten"] == 99_000_000
    assert server.peak_memory_mib() < before + 12


def test_a_reader_that_leaves_ends_the_reading(
    server: ServerProcess, http: httpx.Client, here: Path
) -> None:
    with (here / "sparse").open("wb") as file:
        file.truncate(HUGE)

    def is_open() -> bool:
        links = Path(f"/proc/{server.pid}/fd").iterdir()
        return any(os.path.realpath(link) == str(here / "sparse") for link in links)

    with http.stream("GET", "/v1/fs/file", params={"path": str(here / "sparse")}):
        assert is_open()
    until(lambda: not is_open())


def test_two_who_write_the_same_file_leave_one_of_the_two(http: httpx.Client, here: Path) -> None:
    contents = [bytes([number]) * 300_000 for number in range(8)]
    threads = [
        threading.Thread(target=put, args=(http, here / "file", content)) for content in contents
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (here / "file").read_bytes() in contents
    assert [one.name for one in here.iterdir()] == ["file"]


def test_a_token_needs_the_scope_host(server: ServerProcess, http: httpx.Client) -> None:
    made = http.post("/v1/tokens", json={"actor": "reader", "scopes": ["prompt", "answer"]}).json()
    headers = {"authorization": f"Bearer {made['token']}"}
    for method, route in (
        ("GET", "entries"),
        ("PUT", "file"),
        ("GET", "file"),
        ("DELETE", "entry"),
    ):
        answer = httpx.request(method, f"{server.url}/v1/fs/{route}?path=x", headers=headers)
        assert code_of(answer) == (403, "permission_denied")


def test_a_directory_goes_in_and_out_as_a_tar(http: httpx.Client, here: Path) -> None:
    def tar(*names: str) -> bytes:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as archive:
            for name in names:
                info = tarfile.TarInfo(name)
                info.size = len(name)
                archive.addfile(info, io.BytesIO(name.encode()))
        return made.getvalue()

    def upload(data: bytes, kind: str = "application/x-tar") -> httpx.Response:
        return http.post(
            "/v1/fs/upload-batch",
            params={"path": f"{here.name}/up"},
            content=data,
            headers={"content-type": kind},
        )

    answer = upload(tar("x/1", "2"))
    assert answer.json() == {
        "paths": [str(here / "up/x/1"), str(here / "up/2")],
        "truncated": False,
        "skipped": [],
    }
    assert upload(gzip.compress(tar("3")), "application/gzip").status_code == 200
    assert code_of(upload(tar("4"), "text/plain")) == (415, "unsupported_media_type")
    for bad in (b"not a tar", tar("a", "../evil.txt"), tar("a")[:700]):
        assert code_of(upload(bad)) == (400, "archive_invalid")
    assert sorted(one.name for one in (here / "up").iterdir()) == ["2", "3", "x"]
    for form, kind in (("tar", "application/x-tar"), ("tar.gz", "application/gzip")):
        answer = http.get("/v1/fs/archive", params={"path": str(here / "up"), "format": form})
        assert answer.headers["content-type"] == kind
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
            assert archive.getnames() == ["2", "3", "x", "x/1"]
    missing = http.get("/v1/fs/archive", params={"path": str(here / "nope")})
    assert code_of(missing) == (404, "path_not_found")


def test_a_half_sent_archive_leaves_nothing(server: ServerProcess, here: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info = tarfile.TarInfo("large")
        info.size = 3_000_000
        archive.addfile(info, io.BytesIO(b"\0" * 3_000_000))
    extra = f"Content-Type: application/x-tar\r\nContent-Length: {len(made.getvalue())}\r\n"
    with connected(server, "POST", here, extra, route="upload-batch") as connection:
        connection.sendall(made.getvalue()[:2_000_000])
        until(lambda: [one.name.endswith(".part") for one in here.iterdir()] == [True])
    until(lambda: list(here.iterdir()) == [])


def test_files_are_found_by_name_and_by_text(http: httpx.Client, here: Path) -> None:
    (here / "src").mkdir()
    (here / "src/main.py").write_text("print('needle')\n")
    found = http.get("/v1/fs/find", params={"path": here.name, "query": "*.py"}).json()
    assert [one["path"] for one in found["entries"]] == [str(here / "src/main.py")]
    assert found["entries"][0]["size"] == 16
    found = http.get("/v1/fs/grep", params={"path": here.name, "pattern": "need.e"}).json()
    assert [(one["path"], one["line"]) for one in found["matches"]] == [
        (str(here / "src/main.py"), 1)
    ]
    for query in (
        {"pattern": ""},
        {"pattern": "x", "limit": "0"},
        {"pattern": "x", "limit": "10001"},
        {},
    ):
        assert code_of(http.get("/v1/fs/grep", params=query)) == (400, "invalid_request")
    answer = http.get("/v1/fs/grep", params={"path": here.name, "pattern": "("})
    assert code_of(answer) == (400, "search_pattern_invalid")


def test_watchers_beyond_the_limit_are_refused_and_all_others_share_one(
    server: ServerProcess, http: httpx.Client, here: Path
) -> None:
    """Of which the first are served; each that is refused is told why."""
    address = urlsplit(server.url)
    assert address.hostname
    head = (
        f"GET /v1/fs/watch?path={here} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {server.token}\r\n\r\n"
    ).encode()
    before, opened, refused = server.memory_mib(), [], 0
    try:
        for _ in range(60):
            connection = socket.create_connection((address.hostname, address.port or 0), timeout=30)
            connection.sendall(head)
            opened.append(connection)
        for connection in opened:
            said = read_until(connection, b"event: ready", b"watch_limit", b"limit_")
            refused += b"429" in said
        assert refused == 60 - WATCHERS
        (here / "news").touch()
        read_until(opened[0], b"added")
        assert server.memory_mib() < before + 30
    finally:
        for connection in opened:
            connection.close()


def test_with_a_root_callers_stay_beneath_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "d").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (root / "out").symlink_to(tmp_path)
    server = ServerProcess(tmp_path, arguments=["--root", str(root)]).start()
    try:
        with server.client() as http:
            assert put(http, "d/file", b"in").json()["path"] == str(root / "d/file")
            assert get(http, root / "d/file").content == b"in"
            outside = [
                "/etc/passwd",
                str(tmp_path / "secret"),
                f"{root}/out/secret",
                f"{root}/../secret",
            ]
            for path in outside:
                for method, route in (
                    ("GET", "file"),
                    ("PUT", "file"),
                    ("GET", "stat"),
                    ("DELETE", "entry"),
                ):
                    answer = http.request(method, f"/v1/fs/{route}", params={"path": path})
                    assert code_of(answer) == (403, "path_forbidden"), (method, route, path)
            for route in ("entries", "archive", "find", "watch", "grep"):
                for path in ("/etc", f"{root}/out"):
                    params = {"path": path, "pattern": "x"}
                    answer = http.get(f"/v1/fs/{route}", params=params)
                    assert code_of(answer) == (403, "path_forbidden"), (route, path)
            for body in ({"from": "d/file", "to": "/tmp/x"}, {"from": "/etc/hosts", "to": "d/x"}):
                assert code_of(http.post("/v1/fs/move", json=body)) == (403, "path_forbidden")
            tar = {"content-type": "application/x-tar"}
            answer = http.post("/v1/fs/upload-batch?path=out", content=b"\0" * 1024, headers=tar)
            assert code_of(answer) == (403, "path_forbidden")
            assert (tmp_path / "secret").read_text() == "secret"
            with http.stream("GET", "/v1/fs/watch") as watch:
                lines = watch.iter_lines()
                while next(lines) != "event: ready":
                    pass
                # Who watches comes to an end, and holds nobody up.
                assert server.stop() == 0
                assert [line for line in lines if line.startswith("event: change")] == []
    finally:
        server.stop()
    assert "Traceback" not in server.log()
