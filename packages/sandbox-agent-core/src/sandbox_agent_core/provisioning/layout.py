"""Where the server's files are in a sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from posixpath import join

__all__ = ["ServerLayout"]


@dataclass(frozen=True, slots=True)
class ServerLayout:
    """Everything is under `<home>/.sandbox-agent`, which only its user can read."""

    home: str
    """The home directory of the user that the server runs as: absolute, without a slash at the end."""

    def _at(self, *parts: str) -> str:
        return join(self.home, ".sandbox-agent", *parts)

    @property
    def state(self) -> str:
        return self._at()

    @property
    def token(self) -> str:
        """Mode 0600, the token and nothing else."""
        return self._at("token")

    @property
    def environment(self) -> str:
        """Mode 0600: what the server gets in its environment, as `export` lines."""
        return self._at("environment")

    @property
    def start_script(self) -> str:
        """Becomes the server: starts it again after the sandbox was stopped."""
        return self._at("start.sh")

    @property
    def log(self) -> str:
        return self._at("server.log")

    @property
    def ready(self) -> str:
        """Written by the server once it listens: `{url, pid, version}`."""
        return self._at("ready.json")

    @property
    def pid(self) -> str:
        return self._at("pid")

    @property
    def wheels(self) -> str:
        return self._at("wheels")

    @property
    def venv(self) -> str:
        return self._at("venv")

    @property
    def python(self) -> str:
        """A standalone interpreter that was uploaded, where the image has none."""
        return self._at("python")

    @property
    def data(self) -> str:
        """The sessions' log, and agents that were installed here."""
        return self._at("data")
