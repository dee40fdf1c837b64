"""Makes `support/` importable by the tests of this folder, and the odd frames of core's tests too."""

from __future__ import annotations

import sys
from pathlib import Path

_PACKAGES = Path(__file__).parents[3]
sys.path.insert(0, str(Path(__file__).parent / "support"))
sys.path.insert(0, str(_PACKAGES / "sandbox-agent-core" / "tests" / "support"))
