"""The sessions that one client holds, by what it calls them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sandbox_agent_server.acp.attached import Attached, ClientEnd
from sandbox_agent_server.acp.links import Links
from sandbox_agent_server.acp.record import AcpRecord

__all__ = ["Held"]


class Held:
    def __init__(
        self, client: ClientEnd, record: AcpRecord, links: Links, *, save: Callable[[], None]
    ) -> None:
        """With those that the record has from before."""
        self._record = record
        self._links = links
        self._save = save
        self._attached: dict[str, Attached] = {}
        for acp_id, session_id in record.sessions.items():
            attached = self._attached[acp_id] = Attached(client, session_id, acp_id=acp_id)
            links.add(attached)

    def get(self, acp_id: str) -> Attached | None:
        return self._attached.get(acp_id)

    def all(self) -> Sequence[Attached]:
        return tuple(self._attached.values())

    def of_all_clients(self, attached: Attached) -> Sequence[Attached]:
        """What the same session is to everybody who holds it."""
        return self._links.of(attached.session_id)

    def await_opening(self, attached: Attached) -> None:
        """It is about to become live, and nobody knows it yet."""
        self._links.add(attached)

    def add(self, attached: Attached) -> None:
        """It has an id for the client."""
        if attached.acp_id is not None and attached.session_id is not None:
            self._attached[attached.acp_id] = attached
            self._record.sessions[attached.acp_id] = attached.session_id
            self._save()

    def let_go(self, attached: Attached) -> None:
        """What happens in it is not seen any more; it keeps its id."""
        self._links.remove(attached)

    def forget(self, attached: Attached) -> None:
        """It did not come to life."""
        self._links.remove(attached)
        if attached.acp_id is not None and self._attached.get(attached.acp_id) is attached:
            del self._attached[attached.acp_id]
            del self._record.sessions[attached.acp_id]
            self._save()

    def clear(self) -> Sequence[str]:
        """Let all go. Returns the sessions that nobody is left to hold, and that were opened here."""
        attached = self.all()
        self._attached.clear()
        for each in attached:
            self._links.remove(each)
        owned = {each.session_id for each in attached if each.is_owner and each.session_id}
        return [id for id in owned if not self._links.of(id)]

    def free_id(self, session_id: str) -> Callable[[str], str]:
        """What the client is to call a session of which the agent says how it calls it: two processes of an agent may
        call theirs alike."""
        return lambda inner: session_id if inner in self._record.sessions else inner
