"""The site is built without a broken link, has its reference, and fetches nothing from elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FETCHED = re.compile(
    r"<(?:script|img|iframe|link rel=\"(?:stylesheet|icon|preconnect)\")[^>]*(?:src|href)=\"https?:"
)


def test_the_site_is_whole(tmp_path: Path) -> None:
    """One test, because a build takes seconds."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    _the_reference_has_signatures_fields_and_errors(tmp_path / "reference")
    _every_page_can_be_found(tmp_path)
    _what_is_for_models_is_text_and_whole(tmp_path)
    assert [
        page for page in tmp_path.rglob("*.html") if FETCHED.search(page.read_text("utf-8"))
    ] == []


def _the_reference_has_signatures_fields_and_errors(reference: Path) -> None:
    session = (reference / "session.html").read_text(encoding="utf-8")
    assert 'id="sandbox_agent_client.Session.prompt_stream"' in session
    assert "cancel_on_exit" in session
    assert "CallbackError" in session  # of its `Raises:`
    bodies = (reference / "models.html").read_text(encoding="utf-8")
    assert "Before a tool runs; of an agent without hooks" in bodies  # a `Field(description=…)`


def _every_page_can_be_found(site: Path) -> None:
    index = (site / "llms.txt").read_text(encoding="utf-8")
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if f"]({page})" not in index} == set()
    found = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert any("prompt_stream" in entry["title"] for entry in found["docs"])


def _what_is_for_models_is_text_and_whole(site: Path) -> None:
    whole = (site / "llms-full.txt").read_text(encoding="utf-8")
    assert ":::" not in whole
    assert "async prompt_stream(" in whole
    for link in re.findall(r"\]\(([^)]+)\)", (site / "llms.txt").read_text(encoding="utf-8")):
        assert (site / link).is_file()
