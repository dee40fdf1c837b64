"""What a turn has cost, for agents that tell its tokens and no cost: an estimate, out of a table of prices."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from sandbox_agent_server.settings import ModelPrice

__all__ = ["estimated_cost"]

_TOKENS_PER_PRICE: Final = 1_000_000
_DIGITS: Final = 9
# What agents put around the name of a model: its provider, before it or in brackets behind, the variant of its context,
# the day of its release.
_AROUND: Final = re.compile(
    r"^.*[/|]|\[[^\]]*\]$|\([^)]*\)$|(?:-\d{8}|-\d{4}-\d{2}-\d{2}|-latest)$"
)


def estimated_cost(
    usage: Mapping[str, Any], model: str | None, prices: Mapping[str, ModelPrice]
) -> dict[str, Any] | None:
    """`{amount, currency, estimated}` of the tokens that ACP's `usage` counts; None when nobody knows the price.

    `prices` go before those of the table. Prices of long contexts and of service tiers are not in it.
    """
    price = _price(model, prices) if model else None
    counts = {name: usage.get(name) for name in _COUNTS}
    if price is None or not isinstance(counts["inputTokens"] or counts["outputTokens"], int):
        return None
    given, out, read, written = (
        count if isinstance(count, int) and count > 0 else 0 for count in counts.values()
    )
    total = usage.get("totalTokens")
    if not isinstance(total, int) or total < given + out + read + written:
        # Some count what was cached as input, too.
        given = max(given - read - written, 0)
    amount = (
        given * price.input
        + out * price.output
        + read * _or(price.cached_read, price.input)
        + written * _or(price.cached_write, price.input)
    ) / _TOKENS_PER_PRICE
    return {"amount": round(amount, _DIGITS), "currency": "USD", "estimated": True}


_COUNTS: Final = ("inputTokens", "outputTokens", "cachedReadTokens", "cachedWriteTokens")


def _or(price: float | None, default: float) -> float:
    return default if price is None else price


def _price(model: str, prices: Mapping[str, ModelPrice]) -> ModelPrice | None:
    if (given := prices.get(model)) is not None:
        return given
    name = model.lower()
    while (shorter := _AROUND.sub("", name)) != name:
        name = shorter
    return prices.get(name) or _table().get(name)


@cache
def _table() -> Mapping[str, ModelPrice]:
    text = files(__package__).joinpath("prices.toml").read_text(encoding="utf-8")
    models = tomllib.loads(text)["models"]
    return {name: ModelPrice.model_validate(price) for name, price in models.items()}
