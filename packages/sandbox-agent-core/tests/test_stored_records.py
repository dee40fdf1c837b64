"""What a store keeps of how a session was made: settings, and never keys."""

from __future__ import annotations

from typing import Any

from sandbox_agent_core.frames import LogEntry, extensions
from sandbox_agent_core.frames.jsonrpc import notification
from sandbox_agent_core.spi.persistence import SessionRecord
from sandbox_agent_core.stores.records import record_after

RECORD = SessionRecord(id="s", agent="x", created_at="t", settings={"segments": [], "model": "m"})


def after(method: str, **params: Any) -> SessionRecord:
    entry = LogEntry(
        session_id="s", seq=1, time_ms=0, sender="server", payload=notification(method, params), method=method
    )  # fmt: skip
    return record_after(RECORD, entry)


def test_a_session_that_was_made_again_has_the_settings_of_then() -> None:
    made = after(
        extensions.SESSION_CREATED, agent="x", cwd="/w", baseUrl="https://gw.example", env={"API_KEY": "hush-hush"},
        mcpServers=[{"name": "docs"}], context="of before", title=None, diffs=False,
    )  # fmt: skip
    assert made.settings == {
        "segments": [], "base_url": "https://gw.example", "diffs": False,
    }  # fmt: skip
    assert made.cwd == "/w"


def test_later_changes_are_kept_and_others_left() -> None:
    changed = after(extensions.SESSION_UPDATED, title="A name", metadata={"a": [1]})
    assert changed.settings == {**RECORD.settings, "title": "A name", "metadata": {"a": [1]}}


def test_what_changes_nothing_is_the_very_same() -> None:
    assert after(extensions.TURN_STARTED, taskId="t") is RECORD
