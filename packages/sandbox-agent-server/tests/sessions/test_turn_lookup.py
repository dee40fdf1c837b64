"""What is told of a turn afterwards, by this server and by the next."""

from __future__ import annotations

from typing import Any

import pytest
from house import House
from sandbox_agent_core.errors import TurnNotFound
from sandbox_agent_core.frames import acp
from sandbox_agent_core.frames.jsonrpc import response
from sandbox_agent_server.sessions.turn_lookup import look_up_turn, look_up_turns
from support.scripted_adapter import update
from talk import settled


@pytest.fixture
async def session(house: House) -> Any:
    await house.create()
    return house.live()


async def ended(house: House) -> Any:
    turn = house.prompt()
    (prompt,) = (one for one in house.agent.sent if one.get("method") == acp.SESSION_PROMPT)
    usage = {"inputTokens": 3, "outputTokens": 4}
    cost = {"amount": 0.25, "currency": "USD"}
    result = {"stopReason": "end_turn", "usage": usage, "_meta": {"cost": cost}}
    house.agent.write(update("plan", entries=[]), response(prompt["id"], result))
    await settled()
    return turn


async def test_turns_are_told_as_they_ended_and_in_the_order_that_is_asked_for(
    house: House, session: Any
) -> None:
    first = await ended(house)
    second, third = house.prompt(), house.prompt()
    session.cancel(third.id)
    found = await look_up_turns(session.log, [third.id, first.id, second.id])
    assert [turn.id for turn in found] == [third.id, first.id, second.id]
    dropped, over, running = found
    assert (over.status, over.stop_reason) == ("ended", "end_turn")
    assert over.usage is not None
    assert over.usage.output_tokens == 4
    assert over.cost is not None
    assert over.cost.amount == 0.25
    assert (running.status, running.stop_reason, running.ended_at) == ("running", None, None)
    assert (dropped.status, dropped.stop_reason, dropped.started_at) == ("ended", "cancelled", None)
    assert over.seq < running.seq < dropped.seq


async def test_after_the_death_of_the_server_a_turn_is_told_to_be_interrupted(
    house: House, session: Any
) -> None:
    first = await ended(house)
    running, waiting = house.prompt(), house.prompt()
    await house.dies()
    await house.open()
    log = house.manager.reader.log("ses_1")
    told = await look_up_turns(log, [first.id, running.id, waiting.id])
    assert [(turn.status, turn.stop_reason) for turn in told] == [
        ("ended", "end_turn"),
        ("ended", "interrupted"),
        ("ended", "interrupted"),
    ]
    assert told[1].error is not None


async def test_what_only_speaks_of_a_turn_is_not_taken_for_it(house: House, session: Any) -> None:
    turn = house.prompt(text='{"turnId":"turn_x","method":"_sandbox_agent/turn.ended"}')
    with pytest.raises(TurnNotFound):
        await look_up_turn(session.log, "turn_x")
    assert (await look_up_turn(session.log, turn.id)).status == "running"


async def test_lines_that_are_damaged_cost_nothing_but_themselves(
    house: House, session: Any
) -> None:
    turn = await ended(house)
    path = session.log.file.path
    lines = path.read_bytes().split(b"\n")
    broken = next(index for index, line in enumerate(lines) if b'"session/prompt"' in line[:300])
    lines[broken] = b'{"seq":1,"turnId":"%b"' % turn.id.encode() + b"x" * (
        len(lines[broken]) - len(turn.id) - 20
    )
    path.write_bytes(b"\n".join(lines))
    assert (await look_up_turn(session.log, turn.id)).stop_reason == "end_turn"
