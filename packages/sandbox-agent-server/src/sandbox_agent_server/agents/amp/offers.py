"""Amp's agent modes, which choose model, system prompt and tools at once: they are what it has of models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sandbox_agent_server.agents.native.offers import Choice, Offers, Option, with_names
from sandbox_agent_server.agents.refusals import InvalidParams

__all__ = ["AmpOffers"]

_DEFAULT: Final = "default"
_CHOICES: Final = (
    Choice(_DEFAULT, "Default", "What Amp's own settings say"),
    Choice("low", "Low"),
    Choice("medium", "Medium"),
    Choice("high", "High"),
    Choice("ultra", "Ultra"),
)


class AmpOffers(Offers):
    def __init__(self, more: Iterable[Any] = ()) -> None:
        """`more`: modes of plug-ins, by key or label."""
        self._choices = with_names(_CHOICES, more)
        self._current = _DEFAULT

    @property
    def mode(self) -> str | None:
        """For `--mode`."""
        return None if self._current == _DEFAULT else self._current

    def options(self) -> list[Option]:
        return [Option("model", "Agent mode", self._current, self._choices)]

    def set(self, id: str, value: str) -> None:
        """Raises: InvalidParams."""
        if id != "model":
            raise InvalidParams(f"no option {id!r}; there is: model")
        self.option("model").check(value)
        self._current = value
