"""Pictures of the Inspector for the documentation: `python scripts/inspector_images.py [DIRECTORY]`.

A real server runs an agent that plays a scene (`inspector_scene.py`), in a folder that it really changes; a real browser
looks at it. Needs the built Inspector, Chromium and Playwright.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from inspector_scene import SESSION_PY
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "token-of-the-pictures"
DEADLINE_S = 60.0
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        workspace = make_workspace(home / "shop")
        server, url = start_server(home)
        try:
            session = play(url, workspace)
            take(url, session, target)
        finally:
            server.terminate()
            server.wait(DEADLINE_S)


def make_workspace(path: Path) -> Path:
    files = {
        "shop/session.py": SESSION_PY,
        "shop/clock.py": "import time\n\n\nclass Clock:\n    def now(self) -> int:\n        return int(time.time())\n",
        "tests/test_session.py": "from shop.session import Session\n",
    }
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    git = ["git", "-C", str(path), "-c", "user.name=ana", "-c", "user.email=ana@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Begin"]):
        subprocess.run([*git, *words], check=True)
    return path


def start_server(home: Path) -> tuple[subprocess.Popen[bytes], str]:
    config, ready = home / "config.toml", home / "ready.json"
    command = json.dumps([sys.executable, str(Path(__file__).with_name("inspector_scene.py"))])
    config.write_text(f"[agents.coder]\ncommand = {command}\n", encoding="utf-8")
    program = Path(sys.executable).with_name("sandbox-agent-server")
    server = subprocess.Popen(
        [
            program,
            "--port",
            "0",
            "--data-dir",
            home / "data",
            "--config",
            config,
            "--ready-file",
            ready,
        ],
        env={**os.environ, "SANDBOX_AGENT_TOKEN": TOKEN},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: ready.exists() or server.poll() is not None)
    return server, json.loads(ready.read_text(encoding="utf-8"))["url"]


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the scene did not come to its end")
        time.sleep(0.1)


def play(url: str, workspace: Path) -> str:
    """The session that the pictures are of: it waits for a permission."""
    with httpx.Client(
        base_url=url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=DEADLINE_S
    ) as http:

        def begin(*prompts: str, title: str) -> str:
            body = {"agent": "coder", "cwd": str(workspace), "title": title}
            session = http.post("/v1/sessions", json=body).raise_for_status().json()["id"]
            for prompt in prompts:
                http.post(
                    f"/v1/sessions/{session}/prompt", json={"text": prompt}
                ).raise_for_status()
            return str(session)

        def is_asked(session: str) -> bool:
            return bool(http.get(f"/v1/sessions/{session}").json()["pendingRequests"])

        begin("How do the tests set the time?", title="How tests set the time")
        begin("What does the clock do?", title="What the clock does")
        session = begin(
            "How does a session know the time?", "Fix the failing test in tests/test_session.py",
            title="Fix the flaky session refresh",
        )  # fmt: skip
        wait_for(lambda: is_asked(session))
        return session


def take(url: str, session: str, target: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, path, options in (
            ("inspector", f"/s/{session}", {"color_scheme": "dark"}),
            ("inspector-light", f"/s/{session}", {"color_scheme": "light"}),
            ("inspector-timeline", f"/s/{session}/e/1", {"color_scheme": "dark"}),
            ("inspector-phone", f"/s/{session}", {"color_scheme": "dark", **PHONE}),
        ):
            page = open_page(browser, f"{url}/ui{path}#token={TOKEN}", options)
            page.screenshot(path=target / f"{name}.png")
            page.context.close()
        browser.close()


def open_page(browser: Browser, address: str, options: dict[str, Any]) -> Page:
    context = browser.new_context(
        **{"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce", **options}
    )
    page = context.new_page()
    page.goto(address)
    page.get_by_text("git push origin fix/session-refresh").first.wait_for()
    # What is coloured and measured beside the page has no end that could be waited for.
    page.wait_for_timeout(1_500)
    return page


if __name__ == "__main__":
    main()
