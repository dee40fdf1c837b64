"""Tickets and visits: good for one thing, for a while, and not to be forged."""

from __future__ import annotations

from typing import Any

import pytest
from asgi_call import http_scope
from hypothesis import given
from hypothesis import strategies as st
from sandbox_agent_core.errors import TokenInvalid
from sandbox_agent_server.http.tickets import Resource, Tickets, resource_of
from sandbox_agent_server.store.tokens import StoredToken
from starlette.datastructures import Headers

PORT = Resource("port", "3000")
TERMINAL = Resource("terminal", "proc_1")
TOKEN = StoredToken(id="tok_1", sha256="", actor="ann", scopes=("host",), created_s=0)


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def office(clock: Clock | None = None, known: dict[str, StoredToken] | None = None) -> Tickets:
    return Tickets((known or {}).get, visit_s=3600, now_s=clock or Clock())


def present(tickets: Tickets, resource: Resource, *, ticket: str = "", visit: str = "") -> Any:
    scope = http_scope("GET", "/", query=f"ticket={ticket}".encode() if ticket else b"")
    headers = Headers({"cookie": f"a=1; sandbox-agent-visit={visit}"} if visit else {})
    return tickets.presented(scope, headers, resource)


def test_a_ticket_is_good_for_its_resource_until_its_end() -> None:
    clock = Clock()
    tickets = office(clock)
    text, expires_s = tickets.ticket(PORT, ttl_s=60, token=None)
    assert expires_s == 1060
    assert present(tickets, PORT, ticket=text).purpose == "ticket"
    for other in (Resource("port", "30000"), Resource("terminal", "3000"), TERMINAL):
        with pytest.raises(TokenInvalid):
            present(tickets, other, ticket=text)
    clock.now_s = 1060
    with pytest.raises(TokenInvalid, match="new one"):
        present(tickets, PORT, ticket=text)


def test_a_visit_outlives_its_ticket_and_wins_over_one_that_has_expired() -> None:
    clock = Clock()
    tickets = office(clock)
    text, _ = tickets.ticket(PORT, ttl_s=60, token=None)
    visit, seconds = tickets.visit(PORT, present(tickets, PORT, ticket=text))
    assert seconds == 3600
    assert present(tickets, PORT, ticket=text, visit=visit).purpose == "ticket"
    clock.now_s = 2000
    assert present(tickets, PORT, ticket=text, visit=visit).purpose == "visit"
    clock.now_s = 4600
    assert present(tickets, PORT, visit=visit) is None


def test_neither_is_taken_for_the_other() -> None:
    tickets = office()
    text, _ = tickets.ticket(PORT, ttl_s=60, token=None)
    visit, _ = tickets.visit(PORT, present(tickets, PORT, ticket=text))
    assert present(tickets, PORT, visit=text) is None
    with pytest.raises(TokenInvalid):
        present(tickets, PORT, ticket=visit)


def test_they_end_with_the_token_that_made_them() -> None:
    known = {TOKEN.id: TOKEN}
    tickets = office(known=known)
    text, _ = tickets.ticket(PORT, ttl_s=60, token=TOKEN)
    admitted = present(tickets, PORT, ticket=text)
    assert admitted.token is TOKEN
    visit, _ = tickets.visit(PORT, admitted)
    known.clear()
    with pytest.raises(TokenInvalid):
        present(tickets, PORT, ticket=text)
    assert present(tickets, PORT, visit=visit) is None


def test_another_server_takes_none_of_them() -> None:
    text, _ = office().ticket(PORT, ttl_s=60, token=None)
    with pytest.raises(TokenInvalid):
        present(office(), PORT, ticket=text)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="&;,#+% "), max_size=200)
)
def test_no_text_is_a_ticket_or_breaks_anything(text: str) -> None:
    tickets = office()
    assert present(tickets, PORT, visit=text.encode("utf-8").decode("latin-1")) is None
    with pytest.raises(TokenInvalid):
        present(tickets, PORT, ticket="stk_" + text)


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/v1/ports/3000", PORT),
        ("/v1/ports/3000/", PORT),
        ("/v1/ports/3000/a/../../x", PORT),
        ("/v1/ports/3000/\nx", PORT),
        ("/v1/ports/30001/", Resource("port", "30001")),
        ("/v1/ports", None),
        ("/v1/ports/x/", None),
        ("/v1/ports/3000x/", None),
        ("/x/v1/ports/3000/", None),
        ("/v1/processes/proc_1/terminal/ws", TERMINAL),
        ("/v1/processes/proc_1/terminal/ws/x", None),
        ("/v1/processes/a/b/terminal/ws", None),
        ("/v1/processes/proc_1", None),
    ],
)
def test_only_ports_and_terminals_are_opened_by_tickets(
    path: str, resource: Resource | None
) -> None:
    assert resource_of({"path": path}) == resource
