"""Makes `support/` importable by the tests of this folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))


@pytest.fixture
def acme(tmp_path: Path) -> Any:
    from acme import Acme

    program = tmp_path / "acme"
    program.touch()
    return Acme(program)
