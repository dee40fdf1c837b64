"""The two npm packages as others get them: packed, read by what checks packages, and used by the example app."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opening import chromium_program
from playwright.sync_api import TimeoutError, expect, sync_playwright
from support.ports import free_port
from support.server import ServerProcess

pytestmark = pytest.mark.timeout(300)

_PACKAGE = Path(__file__).parents[2]
_WEB = _PACKAGE / "web"
_NAMES = ("client", "react")
_PAGES = [_WEB / "client" / "README.md", _PACKAGE.parents[1] / "docs" / "typescript.md"]
_REACTS = {
    "18.3": ["react@18.3", "react-dom@18.3", "@types/react@18.3", "@types/react-dom@18.3"],
    "19": ["react@19", "react-dom@19", "@types/react@19", "@types/react-dom@19"],
}


class Npm:
    def __init__(self) -> None:
        from web_build import find_node

        self._node = find_node()

    def __call__(self, *arguments: str | Path, cwd: Path = _WEB) -> str:
        done = subprocess.run(
            [*self._node.npm, *map(str, arguments)], cwd=cwd, env=self._node.environment,
            capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def npm(node_program: Any) -> Npm:
    """Where Node.js and what the lockfile names are there."""
    assert node_program
    return Npm()


@pytest.fixture(scope="module")
def tarballs(npm: Npm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Built in a copy: the sources belong to everybody who runs at the same time."""
    web = tmp_path_factory.mktemp("packed")
    shutil.copy(_WEB / "tsconfig.base.json", web)
    modules = web / "node_modules"
    modules.mkdir()
    for installed in (_WEB / "node_modules").iterdir():
        if not installed.name.startswith("sandbox-agent-"):
            (modules / installed.name).symlink_to(installed)
    for name in _NAMES:
        package = web / name
        shutil.copytree(
            _WEB / name, package, ignore=shutil.ignore_patterns("node_modules", "dist", "tests")
        )
        if (own := _WEB / name / "node_modules").is_dir():
            (package / "node_modules").symlink_to(own)
        (modules / f"sandbox-agent-{name}").symlink_to(package)
        # That the types are right, lint tells.
        npm("run", "--silent", "build", "--", "--noCheck", cwd=package)
        npm("pack", "--silent", "--pack-destination", web, cwd=package)
    return {name: next(web.glob(f"sandbox-agent-{name}-*.tgz")) for name in _NAMES}


@pytest.mark.parametrize("name", _NAMES)
def test_a_packed_package_is_whole(npm: Npm, tarballs: dict[str, Path], name: str) -> None:
    root = _PACKAGE.parents[1]
    with tarfile.open(tarballs[name]) as packed:
        files = {member.name.removeprefix("package/") for member in packed}
        manifest = json.load(packed.extractfile("package/package.json"))  # type: ignore[arg-type]
    assert manifest["version"] == (root / "VERSION").read_text(encoding="utf-8").strip()
    assert {"README.md", "LICENSE", "dist/index.js", "dist/index.d.ts"} <= files
    assert (_WEB / name / "LICENSE").read_bytes() == (root / "LICENSE").read_bytes()
    assert not [file for file in files if file.startswith(("src/", "tests/"))]
    npm("exec", "--", "publint", "run", tarballs[name])
    npm("exec", "--", "attw", "--profile", "esm-only", tarballs[name])


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_what_a_page_says_of_the_client_runs(
    node_program: Any, tarballs: dict[str, Path], tmp_path: Path, page: Path
) -> None:
    modules = tmp_path / "node_modules"
    with tarfile.open(tarballs["client"]) as packed:
        packed.extractall(tmp_path, filter="data")
    shutil.copytree(tmp_path / "package", modules / "sandbox-agent-client")
    shutil.copytree(_WEB / "node_modules/eventsource-parser", modules / "eventsource-parser")
    server = ServerProcess(tmp_path).start()
    try:
        program = "\n".join(_blocks(page, "ts"))
        for written, real in (("http://127.0.0.1:2468", server.url), ("TOKEN", server.token or "")):
            program = program.replace(written, real)
        (tmp_path / "snippets.mjs").write_text(program, encoding="utf-8")
        written = node_program.run_file(tmp_path / "snippets.mjs")
    finally:
        server.stop()
    assert "end_turn" in written
    assert "The quick brown fox" in written


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.parametrize("react", _REACTS)
def test_the_example_is_built_from_the_packed_packages_and_works(
    npm: Npm, tarballs: dict[str, Path], tmp_path: Path, react: str
) -> None:
    app = tmp_path / "example"
    shutil.copytree(_WEB / "example", app, ignore=shutil.ignore_patterns("node_modules", "dist"))
    for number, page in enumerate((_WEB / "react" / "README.md", _PAGES[1])):
        for block in _blocks(page, "tsx"):
            (app / "src" / f"Snippet{number}.tsx").write_text(block, encoding="utf-8")
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
    npm("install", *quiet, *tarballs.values(), *_REACTS[react], cwd=app)
    npm("run", "--silent", "build", cwd=app)
    with _served(app / "dist") as origin, sync_playwright() as playwright:
        server = ServerProcess(tmp_path, arguments=("--cors-origin", origin)).start()
        browser = playwright.chromium.launch(
            executable_path=chromium_program(), args=["--no-sandbox"]
        )
        try:
            page = browser.new_page()
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(f"{origin}/#url={server.url}&token={server.token}")
            page.get_by_role("button", name="New session").click()
            page.get_by_role("textbox", name="Message").fill("permission")
            page.get_by_role("button", name="Send").click()
            allow = page.get_by_role("button", name="Allow once")
            expect(allow).to_be_visible(timeout=20_000)
            # It takes no press that began as it came.
            card = page.locator(".card")
            expect(card).to_have_attribute("data-state", "pending")
            while card.get_attribute("data-state") == "pending":
                with suppress(TimeoutError):
                    allow.click(timeout=1000)
            expect(card).to_have_attribute("data-state", "resolved", timeout=20_000)
            expect(page.get_by_role("button", name="Send")).to_be_visible(timeout=20_000)
            assert complaints == []
        finally:
            browser.close()
            server.stop()


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(folder))
    httpd = ThreadingHTTPServer(("127.0.0.1", free_port()), handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        """Nobody reads it."""
