"""An answer of a type, from an agent that is only told of it in words; and what turns cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest
from sandbox_agent_client import SandboxAgent, TurnEnded, TurnStarted, errors
from support.server import ServerProcess


@dataclass
class Point:
    x: int
    y: int


async def test_an_answer_in_words_is_read(server: ServerProcess) -> None:
    async with SandboxAgent.connect(server.url, token=server.token) as client:
        session = await client.create_session("mock")

        result = await session.prompt('{"x": 1, "y": 2}', output_type=Point)

        assert result.output == Point(1, 2)
        assert result.repairs == 0


async def test_an_answer_that_does_not_fit_is_asked_for_again_and_then_refused(
    server: ServerProcess,
) -> None:
    async with SandboxAgent.connect(server.url, token=server.token) as client:
        session = await client.create_session("mock")

        with pytest.raises(
            errors.OutputInvalid, match="no JSON"
        ) as caught:  # it repeats the prompt
            await session.prompt('{"x": 1}', output_type=Point, max_repairs=1)

        (_, again) = [event async for event in session.events() if isinstance(event, TurnStarted)]
        assert "y: Field required" in again.text
        turns = [event async for event in session.events() if isinstance(event, TurnEnded)]
        assert len(turns) == 2
        assert caught.value.details["turnId"] == turns[-1].turn_id


async def test_tokens_and_costs_are_of_the_turn_and_of_the_session(server: ServerProcess) -> None:
    async with SandboxAgent.connect(server.url, token=server.token) as client:
        session = await client.create_session("mock")

        first = await session.prompt("text")
        second = await session.prompt("text")

        assert first.usage is not None
        assert second.usage is not None
        usage = (await session.refresh()).usage
        assert usage.output_tokens == 40
        assert usage.total_tokens == (first.usage.total_tokens or 0) + (
            second.usage.total_tokens or 0
        )
        assert first.cost is None  # nobody knows what its model costs
        assert usage.cost is None


async def test_a_price_of_the_configuration_is_what_a_turn_costs(
    make_server: Callable[..., ServerProcess],
) -> None:
    server = make_server(config='[prices."mock-fast"]\ninput = 1000\noutput = 1000\n').start()
    async with SandboxAgent.connect(server.url, token=server.token) as client:
        session = await client.create_session("mock")

        first = await session.prompt("text")
        second = await session.prompt("text")

        assert first.usage is not None
        assert first.usage.total_tokens is not None
        assert first.cost is not None
        assert second.cost is not None
        assert (first.cost.amount, first.cost.estimated) == (first.usage.total_tokens / 1000, True)
        cost = (await session.refresh()).usage.cost
        assert cost is not None
        assert cost.amount == pytest.approx(first.cost.amount + second.cost.amount)
        server.stop()
        server.start()  # the log says it all
    async with SandboxAgent.connect(server.url, token=server.token) as client:
        (again,) = await client.list_sessions()
        assert again.info.usage.cost == cost


async def test_a_schema_that_is_none_is_refused(server: ServerProcess) -> None:
    async with SandboxAgent.connect(server.url, token=server.token) as client:
        session = await client.create_session("mock")
        answer = httpx.post(
            f"{server.url}/v1/sessions/{session.id}/prompt",
            headers={"Authorization": f"Bearer {server.token}"},
            json={"text": "text", "outputSchema": {"type": "array"}},
        )
    assert answer.status_code == 400
    assert "outputSchema" in answer.text
