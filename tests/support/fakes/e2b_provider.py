"""The E2B provider as a user makes it, but that its public names are looked up in the fake: no DNS knows them."""

from __future__ import annotations

from typing import Any

from sandbox_agent_e2b import E2BProvider

__all__ = ["ThroughTheFake"]

API_KEY = "e2b_" + "0" * 40


class ThroughTheFake(E2BProvider):
    def __init__(self, url: str, **options: Any) -> None:
        given = {"api_key": API_KEY, "api_url": url, "sandbox_url": url, **options}
        super().__init__(**given)
        self._fake_url = url
        self.hosts: list[str] = []

    def _url(self, host: str) -> str:
        self.hosts.append(host)
        return f"{self._fake_url}/public/{host.partition('.')[0]}"
