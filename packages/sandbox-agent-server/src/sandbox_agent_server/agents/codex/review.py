"""What a review is to look at, in Codex's words."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.lenient import as_dict, as_text

from sandbox_agent_server.agents.native.refusals import InvalidParams
from sandbox_agent_server.agents.native.translator import Native

__all__ = ["review_target"]


def review_target(value: Any) -> Native:
    """`target` of `review/start`. Raises: InvalidParams."""
    target = as_dict(value)
    match target:
        case {"type": "uncommitted"}:
            known: Native = {"type": "uncommittedChanges"}
            what = "the uncommitted changes (staged, unstaged and untracked files)"
        case {"type": "branch", "branch": str(branch)} if branch:
            known = {"type": "baseBranch", "branch": branch}
            what = f"the changes between the current branch and the branch {branch!r}"
        case {"type": "commit", "sha": str(sha)} if sha:
            known = {"type": "commit", "sha": sha}
            what = f"the changes of the commit {sha!r}"
        case {"type": "custom", "instructions": str(instructions)} if instructions.strip():
            return {"type": "custom", "instructions": instructions}
        case _:
            raise InvalidParams(
                "`target` must be of `type` uncommitted, branch (with `branch`), commit (with `sha`) or "
                f"custom (with `instructions`), not {value!r}"
            )
    if (wishes := as_text(target.get("instructions"))) is None:
        return known
    # Codex takes instructions or a target.
    return {"type": "custom", "instructions": f"Review {what}. {wishes}"}
