"""Stores for transcripts that outlive their sandbox: the `persistence=` of a client.

Write your own with the methods of `TranscriptStore`.
"""

from sandbox_agent_core.spi.persistence import SessionRecord, TranscriptStore

from sandbox_agent_client.persistence.memory import MemoryStore
from sandbox_agent_client.persistence.reading import read_entries, read_transcript
from sandbox_agent_client.persistence.sqlite import SqliteStore

__all__ = [
    "MemoryStore",
    "SessionRecord",
    "SqliteStore",
    "TranscriptStore",
    "read_entries",
    "read_transcript",
]
