"""Which clients hold which sessions."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox_agent_server.acp.attached import Attached
from sandbox_agent_server.sessions.session import Session

__all__ = ["Links"]


class Links:
    def __init__(self) -> None:
        self._by_session: dict[str, list[Attached]] = {}

    def of(self, session_id: str | None) -> Sequence[Attached]:
        return self._by_session.get(session_id or "", ())

    def add(self, attached: Attached) -> None:
        assert attached.session_id is not None
        self._by_session.setdefault(attached.session_id, []).append(attached)

    def remove(self, attached: Attached) -> None:
        """It sees nothing more of the session."""
        others = self._by_session.get(attached.session_id or "", [])
        if attached in others:
            others.remove(attached)
            if not others:
                del self._by_session[attached.session_id or ""]
        attached.detach()

    def live(self, session: Session) -> None:
        """It will do something: whoever holds it sees it."""
        for attached in self.of(session.id):
            attached.attach(session.conversation)
