"""What tokens cost, by the name that an agent has for its model."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_server.sessions.prices import estimated_cost
from sandbox_agent_server.settings import ModelPrice

PRICE = ModelPrice(input=4, output=20, cached_read=0.5, cached_write=5)
MILLION = 1_000_000


def cost(usage: dict[str, Any], model: str | None = "mine") -> Any:
    told = estimated_cost(usage, model, {"mine": PRICE})
    assert told is None or (told["currency"], told["estimated"]) == ("USD", True)
    return told and told["amount"]


def test_each_kind_of_token_has_its_price() -> None:
    usage = {
        "inputTokens": MILLION, "outputTokens": MILLION, "cachedReadTokens": MILLION,
        "cachedWriteTokens": MILLION, "totalTokens": 4 * MILLION,
    }  # fmt: skip
    assert cost(usage) == 29.5


def test_input_that_counts_the_cached_is_not_paid_twice() -> None:
    usage = {"inputTokens": 100, "outputTokens": 0, "cachedReadTokens": 60, "totalTokens": 100}
    assert cost(usage) == pytest.approx((40 * 4 + 60 * 0.5) / MILLION)


@pytest.mark.parametrize(
    "model",
    [
        "claude-opus-5-5", "claude-opus-5-5[1m]", "anthropic/claude-opus-5-5", "claude-opus-5-5-20260901",
        "Claude-Opus-5-5", "openrouter/anthropic/claude-opus-5-5-latest",
        "claude-opus-5-5(anthropic)", "$runtime|anthropic|claude-opus-5-5(anthropic)",
    ],
)  # fmt: skip
def test_a_model_is_known_whatever_an_agent_puts_around_its_name(model: str) -> None:
    assert cost({"inputTokens": MILLION, "outputTokens": 0}, model)


@pytest.mark.parametrize("model", [None, "", "my-gateway/llama-9"])
def test_nobody_knows_the_price_of_another_model(model: str | None) -> None:
    assert cost({"inputTokens": MILLION}, model) is None


@pytest.mark.parametrize("usage", [{}, {"inputTokens": "7"}, {"inputTokens": None}])
def test_without_tokens_there_is_no_cost(usage: dict[str, Any]) -> None:
    assert cost(usage) is None


def test_a_price_of_the_configuration_goes_before_the_table() -> None:
    told = estimated_cost(
        {"inputTokens": MILLION, "outputTokens": 0},
        "anthropic/claude-opus-5-5",
        {"claude-opus-5-5": ModelPrice(input=1, output=1)},
    )
    assert told is not None
    assert told["amount"] == 1
