"""The user's own `ssh`, with its configuration and keys, as the way to another machine: its command lines and its words."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sandbox_agent_core.errors import InvalidRequest, ProviderUnavailable

__all__ = ["SshHost", "last_words"]

CONNECT_TIMEOUT_S = 15
ALIVE_INTERVAL_S = 15
"""A line that is dead for three of them is given up."""
READY = "sandbox-agent-ready"
"""What a tunnel says when it is one."""
WORDS_BYTES = 4096
"""Of what ssh has said, in an error."""
# Nobody sits at the terminal of a thread: where ssh would ask, it is to fail and say why.
_OPTIONS = (
    *("-o", "BatchMode=yes"),
    *("-o", f"ConnectTimeout={CONNECT_TIMEOUT_S}"),
    *("-o", f"ServerAliveInterval={ALIVE_INTERVAL_S}"),
    "-T",
)


@dataclass(frozen=True, slots=True)
class SshHost:
    name: str
    user: str | None = None
    port: int | None = None
    socket: str = ""
    """The daemon's, there; empty: as the `docker` program there finds it."""

    @classmethod
    def of(cls, url: str) -> SshHost:
        """Of `ssh://[user@]host[:port][/path/of/socket]`.

        Raises:
            InvalidRequest: it is not such a URL.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as exc:
            raise InvalidRequest(f"{url!r} is not ssh://[user@]host[:port]: {exc}") from exc
        if not parts.hostname or parts.hostname.startswith("-"):
            raise InvalidRequest(f"{url!r} is not ssh://[user@]host[:port]: it names no host.")
        # Not `hostname`, which is in small letters: names of ssh's configuration have others too.
        name = parts.netloc.rpartition("@")[2]
        name = name.removesuffix(f":{port}") if port is not None else name.rstrip(":")
        user = unquote(parts.username) if parts.username else None
        return cls(name.strip("[]"), user, port, parts.path.rstrip("/"))

    def to_share(self, path: Path) -> list[str]:
        """A command that keeps one way open, at that path, as long as its stdin is: others that go by it need not
        log in."""
        return self._command("exec cat", *_by(path), "-o", "ControlMaster=yes")

    def to_daemon(self, path: Path) -> list[str]:
        """A command whose stdin and stdout are a connection to the daemon: by the way at that path where it is open,
        else by its own."""
        docker, podman = ("", "")
        if self.socket:
            at = shlex.quote(f"unix://{self.socket}")
            docker, podman = f" --host {at}", f" --url {at}"
        script = (
            f"if command -v docker >/dev/null 2>&1; then exec docker{docker} system dial-stdio; "
            f"else exec podman{podman} system dial-stdio; fi"
        )
        return self._command(f"sh -c {shlex.quote(script)}", *_by(path), "-o", "ControlMaster=no")

    def to_port(self, local: int, remote: tuple[str, int]) -> list[str]:
        """A command that is a tunnel to a port there, as long as its stdin is open."""
        host, port = remote
        target = f"[{host}]" if ":" in host else host
        forward = f"127.0.0.1:{local}:{target}:{port}"
        # By a way of its own: what is asked of a shared one stays when the asking program ends.
        return self._command(
            f"echo {READY}; exec cat",
            *("-o", "ControlPath=none", "-o", "ExitOnForwardFailure=yes", "-L", forward),
        )

    def unavailable(self, words: str) -> ProviderUnavailable:
        by_hand = shlex.join(["ssh", *self._address(), "docker version"])
        why = f": {words}" if words else ", and does not say why"
        return ProviderUnavailable(
            f"ssh does not reach the Docker daemon of {self.name!r}{why}. It has to work without a question; try "
            f"`{by_hand}`, which also shows an unknown host key or a missing key (`ssh-add`).",
            provider="docker",
            host=self.name,
        )

    def _command(self, remote: str, *options: str) -> list[str]:
        return ["ssh", *_OPTIONS, *options, *self._address(), remote]

    def _address(self) -> Sequence[str]:
        return (
            *(("-l", self.user) if self.user else ()),
            *(("-p", str(self.port)) if self.port else ()),
            "--",
            self.name,
        )


def _by(path: Path) -> Sequence[str]:
    return ("-o", f"ControlPath={path}", "-o", "ControlPersist=no")


def last_words(log: Path) -> str:
    """What ssh has written last, on one line."""
    try:
        said = log.read_bytes()[-WORDS_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else ""
