"""Limits of a turn hold with every agent that has something to hold them by."""

from __future__ import annotations

import pytest
from agent_conformance.conftest import Lab
from agent_conformance.stories import play
from agent_conformance.under_test import AGENTS, AgentUnderTest
from sandbox_agent_client import SessionSync, ToolCompleted, errors

CHAIN = "SCENARIO:chain SHELL<<echo once>>"
"""Two answers with a call of a tool each, then one of text."""


@pytest.mark.feature("max-turns")
def test_a_turn_is_stopped_after_its_last_round_trip(
    lab: Lab, session: SessionSync, agent: AgentUnderTest
) -> None:
    lab.llm.clear()
    story = play(session, CHAIN, max_turns=1)
    # An agent asks its model again at once, and is stopped in that.
    assert max(one.step for one in lab.llm.requests if one.scenario == "chain") <= 1
    assert story.of(ToolCompleted)[0].status == "completed"
    assert (story.ended.stop_reason, story.ended.limit) == ("cancelled", "max_turns")
    assert play(session, "SCENARIO:text").ended.stop_reason == "end_turn"


@pytest.mark.feature("max-cost")
def test_a_turn_is_stopped_when_it_costs_too_much(
    session: SessionSync, agent: AgentUnderTest
) -> None:
    story = play(session, CHAIN, max_cost=0.000_001)
    cost = story.ended.cost
    assert cost is not None
    assert cost.amount > 0
    assert story.ended.model_calls == 1
    assert (story.ended.stop_reason, story.ended.limit) == ("cancelled", "max_cost")


NO_COST = [agent for agent in AGENTS.values() if "max-cost" in agent.lacks]


@pytest.mark.real_agent
@pytest.mark.parametrize("agent", NO_COST, ids=lambda agent: agent.name)
def test_a_cost_that_an_agent_does_not_tell_is_refused(
    session: SessionSync, agent: AgentUnderTest
) -> None:
    with pytest.raises(errors.CostUnknown):
        session.prompt("SCENARIO:text", max_cost=1)
