"""What a cluster can hold, before anything waits for it: Ray waits for ever for what no node has."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from sandbox_agent_core.errors import InvalidRequest

__all__ = ["room_for"]


def room_for(asked: Mapping[str, float], nodes: Iterable[Mapping[str, float]]) -> float:
    """How many workers that each ask for so much can be there at a time; infinite, when they ask for nothing.

    Raises:
        InvalidRequest: none, whatever ends on the nodes.
    """
    nodes = list(nodes)
    room = sum(_room(asked, node) for node in nodes)
    if room < 1:
        most = {name: max((node.get(name, 0) for node in nodes), default=0) for name in asked}
        raise InvalidRequest(
            f"No node of the cluster can ever hold a trial: it asks for {_shown(asked)}, and the most that a node has is "
            f"{_shown(most)}. Start a node with that (`ray start --resources=…`), or ask for less (`resources`, `num_cpus`).",
            asked=dict(asked),
            nodes=[dict(node) for node in nodes],
        )
    return room


def _room(asked: Mapping[str, float], node: Mapping[str, float]) -> float:
    return min(
        (math.floor(node.get(name, 0) / much + 1e-9) for name, much in asked.items() if much),
        default=math.inf,
    )


def _shown(resources: Mapping[str, float]) -> str:
    return ", ".join(f"{much:g} {name}" for name, much in resources.items()) or "nothing"
