"""What Docker says of a container, as facts and as words."""

from __future__ import annotations

import pytest
from sandbox_agent_core.errors import ProviderError
from sandbox_agent_docker import DockerProvider
from sandbox_agent_docker.containers import _container


@pytest.mark.parametrize("is_out_of_memory", [True, False])
def test_a_container_that_was_stopped_by_a_lack_of_memory_says_so(is_out_of_memory: bool) -> None:
    state = {"Status": "exited", "OOMKilled": is_out_of_memory}
    facts = {"Id": "abc", "Name": "/box", "State": state, "Created": "2026-01-01T00:00:00Z"}
    with pytest.raises(ProviderError) as caught:
        DockerProvider()._reached.address(_container(facts), 2468)
    assert caught.value.details["state"] == "stopped"
    assert ("out of memory" in caught.value.message) is is_out_of_memory
