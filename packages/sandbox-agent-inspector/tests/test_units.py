"""The tests of the web sources themselves, as one of the README's test command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.optional import skip_without

PACKAGE = Path(__file__).parents[1]
sys.path.insert(0, str(PACKAGE))


@pytest.mark.timeout(300)
def test_the_web_sources_pass_their_own_tests() -> None:
    from web_build import WEB, BuildFailed, find_node

    try:
        node = find_node()
    except BuildFailed as exc:
        skip_without(str(exc))
    vitest = WEB / "node_modules" / "vitest" / "vitest.mjs"
    if not vitest.is_file():
        skip_without("the web sources are not installed: make inspector")
    done = subprocess.run(
        [str(node.node), str(vitest), "run"],
        cwd=WEB, env=node.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]
