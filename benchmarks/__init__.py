"""Our server beside the peer's, same machine, same agent, same reader, repetitions interleaved.

python -m benchmarks [--quick] [--only NAME] [--write-docs]
"""

import sys
from pathlib import Path

# The scripted model and the pinned agents are the tests'.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
