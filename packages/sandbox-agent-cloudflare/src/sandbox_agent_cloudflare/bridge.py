"""The bridge's HTTP API, as much of it as a server in a sandbox needs."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox_agent_core.errors import (
    ProviderError,
    ProviderUnavailable,
    SandboxNotFound,
)
from sandbox_agent_core.provisioning import CommandResult
from sandbox_agent_core.provisioning.calls import patiently

from sandbox_agent_cloudflare.errors import PROVIDER, bridge_failures, error_of

if TYPE_CHECKING:
    import httpx

__all__ = ["WORKSPACE", "Bridge"]

WORKSPACE = "/workspace"
"""The one directory in which the bridge runs commands and writes files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """Each `/v1/sandbox/{id}/…` **makes a container** where the id has none (any more); `delete` does not."""

    url: str
    key: str | None = field(repr=False)
    request_timeout_s: float
    """Also the first use of a sandbox has to fit into it, when its container starts."""

    async def check(self) -> None:
        """Ask for something that needs the key and that starts nothing."""
        await self._send("GET", "/v1/pool/stats")

    async def new_id(self) -> str:
        """Nothing runs before the id is used."""
        return str(_field(await self._send("POST", "/v1/sandbox"), "id"))

    async def execute(
        self, sandbox: str, argv: Sequence[str], *, timeout_s: float
    ) -> CommandResult:
        """In the workspace; a program that fails is a result. May end with ProviderError after `timeout_s`."""
        body = {"argv": list(argv), "cwd": WORKSPACE, "timeout_ms": round(timeout_s * 1000)}
        return _result(await self._send("POST", f"{_path(sandbox)}/exec", body=body, waits=True))

    async def write(self, sandbox: str, name: str, content: bytes) -> None:
        """A file of the workspace."""
        await self._send("PUT", f"{_path(sandbox)}/file{WORKSPACE}/{name}", content=content)

    async def tunnel(self, sandbox: str, port: int, *, name: str | None) -> str:
        """The public URL of a port on which something listens already; the same for each call."""
        body = {} if name is None else {"name": name}
        answer = await self._send("POST", f"{_path(sandbox)}/tunnel/{port}", body=body)
        return str(_field(answer, "url"))

    async def delete(self, sandbox: str) -> None:
        """Deleting what is not there succeeds."""
        await self._send("DELETE", _path(sandbox))

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        waits: bool = False,
    ) -> bytes:
        """The answer's body. `waits`: for as long as the caller does.

        Raises:
            ProviderError: as `errors` says.
        """

        async def once() -> bytes:
            async with self._client(waits=waits) as http:
                response = await http.request(method, path, json=body, content=content)
            if not response.is_success:
                raise error_of(response)
            return response.content

        return await patiently(once)

    @asynccontextmanager
    async def _client(self, *, waits: bool) -> AsyncIterator[httpx.AsyncClient]:
        """One for each call: it belongs to an event loop, and a provider to none."""
        import httpx  # noqa: PLC0415 - imported on first use, as the SDKs of other providers

        timeout = httpx.Timeout(
            self.request_timeout_s, read=None if waits else self.request_timeout_s
        )
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        with bridge_failures(self.url):
            async with httpx.AsyncClient(
                base_url=self.url, headers=headers, timeout=timeout
            ) as client:
                yield client


def _path(sandbox: str) -> str:
    """Raises: SandboxNotFound for what is no id of Cloudflare's and may be anything in a path."""
    if not re.fullmatch("[a-z2-7]{1,128}", sandbox):
        raise SandboxNotFound(
            f"{sandbox!r} is no sandbox of Cloudflare's.", provider=PROVIDER, sandbox=sandbox
        )
    return f"/v1/sandbox/{sandbox}"


def _field(content: bytes, name: str) -> object:
    try:
        return json.loads(content)[name]
    except (ValueError, KeyError, TypeError) as exc:
        raise ProviderError(
            f"The Cloudflare bridge's answer has no {name!r}. Is it of another version?",
            provider=PROVIDER,
        ) from exc


def _result(stream: bytes) -> CommandResult:
    """Of the events of one command: its output in base64, and how it ended."""
    output = {"stdout": b"", "stderr": b""}
    try:
        for event, data in _events(stream.decode()):
            match event:
                case "stdout" | "stderr":
                    output[event] += base64.b64decode(data)
                case "exit":
                    code = int(json.loads(data)["exit_code"])
                    out, err = (output[name].decode("utf-8", "replace") for name in output)
                    return CommandResult(code, out, err)
                case "error":
                    raise ProviderUnavailable(
                        f"The command could not be run: {json.loads(data)['error']}",
                        provider=PROVIDER,
                    )
    except (ValueError, KeyError, TypeError, binascii.Error) as exc:
        raise ProviderError(
            f"The Cloudflare bridge's answer cannot be read: {exc}", provider=PROVIDER
        ) from exc
    raise ProviderUnavailable(
        "The Cloudflare bridge's answer broke off before the command had ended.", provider=PROVIDER
    )


def _events(text: str) -> list[tuple[str, str]]:
    events = []
    for block in text.split("\n\n"):
        fields = [line.partition(": ") for line in block.splitlines()]
        name = next((value for key, _, value in fields if key == "event"), None)
        if name is not None:
            data = "\n".join(value for key, _, value in fields if key == "data")
            events.append((name, data))
    return events
