"""The Modal provider as a user makes it, but that its tunnels' names are looked up here: no DNS knows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sandbox_agent_core.spi.provider import Endpoint, PortUrl, SandboxRef
from sandbox_agent_modal import ModalProvider
from support.fakes.modal import TOKEN_ID, TOKEN_SECRET, local_url

__all__ = ["ThroughTheFake"]


class ThroughTheFake(ModalProvider):
    """The fake's address is in $MODAL_SERVER_URL, where the SDK looks for it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"token_id": TOKEN_ID, "token_secret": TOKEN_SECRET, **options})

    async def endpoint(self, ref: SandboxRef) -> Endpoint:
        endpoint = await super().endpoint(ref)
        return replace(endpoint, url=local_url(endpoint.url))

    async def port_url(self, ref: SandboxRef, port: int) -> PortUrl:
        found = await super().port_url(ref, port)
        return replace(found, url=local_url(found.url))
