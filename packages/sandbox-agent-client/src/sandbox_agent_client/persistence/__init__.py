"""Stores for transcripts that outlive their sandbox: the `persistence=` of a client.

Write your own with the methods of `TranscriptStore`.
"""

from sandbox_agent_core.spi.persistence import SessionRecord, TranscriptStore

from sandbox_agent_client.persistence.memory import MemoryTranscriptStore
from sandbox_agent_client.persistence.replay import read_entries, read_transcript
from sandbox_agent_client.persistence.sqlite import SqliteTranscriptStore

__all__ = [
    "MemoryTranscriptStore",
    "SessionRecord",
    "SqliteTranscriptStore",
    "TranscriptStore",
    "read_entries",
    "read_transcript",
]
