"""What is to be reviewed, in the words of Claude's `/code-review`."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_server.agents.native.refusals import InvalidParams

__all__ = ["REVIEW_COMMAND", "review_prompt"]

REVIEW_COMMAND: Final = "code-review"


def review_prompt(target: Any) -> str:
    """Raises: InvalidParams."""
    # It reads a first word such as `high`, and words such as `--fix`, as settings: hence the article.
    match target:
        case {"type": "uncommitted"}:
            what = "the uncommitted changes, new files included, and nothing that is committed"
        case {"type": "branch", "branch": str(branch)} if branch:
            what = f"the changes since `{branch}`: git diff {branch}...HEAD"
        case {"type": "commit", "sha": str(sha)} if sha:
            what = f"the commit {sha}: git show {sha}"
        case {"type": "custom", "instructions": str(instructions)} if instructions.strip():
            what = f"the following: {instructions}"
        case _:
            raise InvalidParams(
                "`target` must be {type: uncommitted}, {type: branch, branch}, {type: commit, sha} or "
                "{type: custom, instructions}"
            )
    return f"/{REVIEW_COMMAND} {what}"
