"""Sessions in the formats of others: ATIF trajectories and logs of Inspect. Made of transcripts; nothing is read or written."""

from __future__ import annotations

from sandbox_agent_core.exports.atif import ATIF_VERSION, AtifExport, to_atif
from sandbox_agent_core.exports.inspect_ai import InspectLog, Sample, Score, to_inspect
from sandbox_agent_core.exports.session import SessionExport

__all__ = [
    "ATIF_VERSION",
    "AtifExport",
    "InspectLog",
    "Sample",
    "Score",
    "SessionExport",
    "to_atif",
    "to_inspect",
]
