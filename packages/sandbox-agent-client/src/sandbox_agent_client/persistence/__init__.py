"""Stores for transcripts that outlive their sandbox: the `persistence=` of a client.

Write your own with the methods of `TranscriptStore`; `testing.stores` has the tests that it should pass.
"""

from sandbox_agent_core.spi.persistence import (
    Lease,
    SearchHit,
    SessionRecord,
    SupportsLeases,
    SupportsRetention,
    SupportsSearch,
    TranscriptStore,
)
from sandbox_agent_core.stores.opening import open_store

from sandbox_agent_client.persistence.memory import MemoryTranscriptStore
from sandbox_agent_client.persistence.replay import read_entries, read_transcript
from sandbox_agent_client.persistence.sqlite import SqliteTranscriptStore

__all__ = [
    "Lease",
    "MemoryTranscriptStore",
    "SearchHit",
    "SessionRecord",
    "SqliteTranscriptStore",
    "SupportsLeases",
    "SupportsRetention",
    "SupportsSearch",
    "TranscriptStore",
    "open_store",
    "read_entries",
    "read_transcript",
]
