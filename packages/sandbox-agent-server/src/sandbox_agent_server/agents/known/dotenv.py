"""Variables from `.env` files of a workspace, which some agents take for those of their user.

They decide what is loaded into every program that the agent starts (`LD_PRELOAD`), and where keys are sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbox_agent_server.agents.repository import around, files_in

__all__ = ["without_dotenv"]

# More than any reading of such a file finds.
_NAME: Final = re.compile(r"[\w.-]+(?=\s*[=:])", re.ASCII)


def without_dotenv(
    workspace: Path, env: Mapping[str, str], *, names: Sequence[str], let_in: Collection[str] = ()
) -> dict[str, str]:
    """The variables to set, empty, because what is set is not taken from a file.

    Files called `names` count, around `workspace`; the variables `let_in` are left to them.
    """
    found: set[str] = set()
    for path in files_in(around(workspace, home=env.get("HOME")), names):
        try:
            found.update(_NAME.findall(path.read_text(encoding="utf-8", errors="replace")))
        except OSError:
            continue
    return dict.fromkeys(sorted(found.difference(env, let_in)), "")
