from __future__ import annotations

import pytest
from sandbox_agent_client.batch import engines
from sandbox_agent_client.errors import InvalidRequest


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "entry_points", lambda *, group: ())


def test_an_engine_of_ours_that_is_not_installed_says_how_to_get_it() -> None:
    with pytest.raises(InvalidRequest, match="pip install .*sandbox-agent-ray"):
        engines.find_engine("ray", concurrency=1)


def test_one_that_nobody_has_is_told_with_those_that_are_there() -> None:
    with pytest.raises(InvalidRequest, match="no engine 'none'. Installed: local") as raised:
        engines.find_engine("none", concurrency=1)
    assert raised.value.details["installed"] == ["local"]


def test_an_option_that_an_engine_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'local' cannot be made: .*address"):
        engines.find_engine("local", concurrency=1, address="auto")
