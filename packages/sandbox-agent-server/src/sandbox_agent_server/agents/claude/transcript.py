"""Claude's own record of a conversation, read for what its protocol does not tell: which prompts are in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from sandbox_agent_core.lenient import as_text

from sandbox_agent_server.agents.claude.marks import Mark, read_mark

__all__ = ["MAX_TRANSCRIPT_BYTES", "Transcript", "read_transcript"]

MAX_TRANSCRIPT_BYTES: Final = 64 * 1024 * 1024
"""A longer one is not read: its session can be gone on with, but not cut."""
_MESSAGES: Final = frozenset({"user", "assistant"})


@dataclass(frozen=True, slots=True)
class Transcript:
    """The records that lead to the last message, the first one first. Whatever was rewound is in the file, and not
    in here."""

    _chain: list[dict[str, Any]]

    def marks(self) -> list[Mark] | None:
        """Of our own lines. None: it is of another program, or of a time before there were marks."""
        read = [read_mark(each["uuid"]) for each in self._chain]
        marks = [mark for mark in read if mark is not None]
        return marks if marks or not self._chain else None

    def before(self, index: int) -> str | None:
        """The uuid of the last message before the prompt with this index; None when nothing is before it.

        Raises:
            LookupError: the prompt is not in it, or what came before it has been summarised since.
        """
        start = next((mark.uuid for mark in self.marks() or () if mark.prompt >= index), None)
        position = next((at for at, each in enumerate(self._chain) if each["uuid"] == start), None)
        if position is None:
            raise LookupError(f"prompt {index} is not in the conversation of Claude Code")
        if any(each.get("subtype") == "compact_boundary" for each in self._chain[position:]):
            raise LookupError(f"prompt {index} is in a part that Claude Code has compacted")
        earlier = reversed(self._chain[:position])
        return next((each["uuid"] for each in earlier if each.get("type") in _MESSAGES), None)


def read_transcript(session_id: str, env: Mapping[str, str]) -> Transcript | None:
    """None when there is none to be read. Blocks."""
    config = env.get("CLAUDE_CONFIG_DIR") or (env.get("HOME") and f"{env['HOME']}/.claude")
    for path in Path(config or "/nowhere").glob(f"projects/*/{session_id}.jsonl"):
        try:
            if path.stat().st_size <= MAX_TRANSCRIPT_BYTES:
                return Transcript(_chain(path.read_bytes()))
        except OSError:
            continue
    return None


def _chain(content: bytes) -> list[dict[str, Any]]:
    records: dict[str, dict[str, Any]] = {}
    for line in content.splitlines():
        record = _record(line)
        if record is not None:
            # Of one that is written twice, the later place counts.
            records.pop(record["uuid"], None)
            records[record["uuid"]] = record
    chain: list[dict[str, Any]] = []
    at = next(reversed(records), None)
    while at is not None and (record := records.pop(at, None)) is not None:
        chain.append(record)
        # Over a compaction only the second leads back.
        at = as_text(record.get("parentUuid")) or as_text(record.get("logicalParentUuid"))
    return chain[::-1]


def _record(line: bytes) -> dict[str, Any] | None:
    """What the chain needs of a record of the main conversation: results of tools may be large."""
    try:
        read = orjson.loads(line)
    except ValueError:
        return None
    if type(read) is not dict or read.get("isSidechain") is True or not as_text(read.get("uuid")):
        return None
    kept = ("uuid", "type", "subtype", "parentUuid", "logicalParentUuid")
    return {name: read[name] for name in kept if isinstance(read.get(name), str)}
