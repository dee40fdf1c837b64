"""`/v1/tickets`: what opens one terminal or one port for a short while, for a browser that can send no header."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from sandbox_agent_core.api.base import RequestBody, ResponseBody

__all__ = ["MAX_TICKET_S", "CreateTicket", "TicketCreated", "TicketKind"]

MAX_TICKET_S: Final = 300.0

TicketKind = Literal["terminal", "port"]


class CreateTicket(RequestBody):
    for_: TicketKind = Field(alias="for")
    id: str | None = Field(
        default=None, min_length=1, description="Of the process, when it is for a `terminal`."
    )
    port: int | None = Field(default=None, ge=1, le=65535, description="When it is for a `port`.")
    ttl: float = Field(
        default=MAX_TICKET_S, gt=0, le=MAX_TICKET_S, description="Seconds that it is good for."
    )

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        wanted, other = ("id", "port") if self.for_ == "terminal" else ("port", "id")
        if getattr(self, wanted) is None:
            raise ValueError(f"a ticket for a {self.for_} needs `{wanted}`")
        if getattr(self, other) is not None:
            raise ValueError(f"a ticket for a {self.for_} has no `{other}`")
        return self


class TicketCreated(ResponseBody):
    ticket: str = Field(
        repr=False, description="Goes into the query, as `ticket`. Never shown again."
    )
    path: str = Field(repr=False, description="What it opens, with the ticket in its query.")
    origin: str | None = Field(
        default=None,
        description="Of a port that a browser on this machine also finds at the root of an origin of its own, which takes "
        "the ticket in the query of any path. Null where the server is not called by a loopback address.",
    )
    expires_at: str = Field(description="RFC 3339, UTC.")
