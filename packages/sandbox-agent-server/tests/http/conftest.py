"""Makes `support/` importable by the tests of this folder, and what the tests of logs have too."""

from __future__ import annotations

import sys
from pathlib import Path

_TESTS = Path(__file__).parents[1]
for _folder in ("http/support", "log/support"):
    sys.path.insert(0, str(_TESTS / _folder))
