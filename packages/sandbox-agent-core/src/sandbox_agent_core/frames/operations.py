"""What a client asks of an agent in long work: requests that ACP has no word for, or no stable one.

Adapters take them beside ACP's own, and say in `agentCapabilities` which (`spi.capabilities`). The params of
all have `sessionId`.
"""

from __future__ import annotations

from typing import Final

from sandbox_agent_core.frames import acp

__all__ = [
    "BEGIN_A_TURN",
    "SESSION_COMPACT",
    "SESSION_FORK",
    "SESSION_NATIVE",
    "SESSION_RENAME",
    "SESSION_REVIEW",
    "SESSION_REWIND",
    "SESSION_STEER",
]

SESSION_STEER: Final = "_sandbox_agent/session.steer"
"""`{prompt}` -> `{}` when the agent has taken the blocks into the running turn; refused (`INVALID_REQUEST`) when it
will not, above all because no turn runs: then they are a prompt of their own."""

SESSION_COMPACT: Final = "_sandbox_agent/session.compact"
"""`{instructions?}` -> as `session/prompt`: it is a turn. What came of it, `context.compacted` says."""

SESSION_REVIEW: Final = "_sandbox_agent/session.review"
"""`{target: {type: uncommitted | branch | commit | custom, branch?, sha?, instructions?}}` -> as `session/prompt`:
it is a turn."""

SESSION_FORK: Final = acp.SESSION_FORK
"""ACP's own, not stable yet. `{sessionId: of the session that is forked, cwd, mcpServers, _meta: {beforePrompt?: n}}`
-> as `session/new`. Asked instead of `session/new`, of an adapter that was made for the new session. With
`beforePrompt` the fork keeps what came before the n-th prompt (from 0) of that session."""

SESSION_REWIND: Final = "_sandbox_agent/session.rewind"
"""`{promptIndex, files, conversation, dryRun}`: back to before the n-th prompt (from 0) of this session ->
`{filesChanged?: [path]}`."""

SESSION_RENAME: Final = "_sandbox_agent/session.rename"
"""`{title}` -> `{}`."""

SESSION_NATIVE: Final = "_sandbox_agent/session.native"
"""`{method, params}`, both of the agent's own protocol -> `{result}`, or its error."""

BEGIN_A_TURN: Final = frozenset({acp.SESSION_PROMPT, SESSION_COMPACT, SESSION_REVIEW})
"""The answer to one of these is the end of a turn."""
