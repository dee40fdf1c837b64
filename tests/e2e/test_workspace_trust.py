"""Who trusts a workspace, and where that is seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sandbox_agent_client import SandboxAgentSync, SessionCreated
from support.server import ServerProcess

MakeServer = Callable[..., ServerProcess]


@pytest.mark.parametrize(
    ("arguments", "env", "asked", "expected"),
    [
        ([], {}, None, False),
        ([], {}, True, True),
        (["--trust-workspace"], {}, None, True),
        ([], {"SANDBOX_AGENT_TRUST_WORKSPACE": "true"}, None, True),
        (["--no-trust-workspace"], {"SANDBOX_AGENT_TRUST_WORKSPACE": "true"}, None, False),
        (["--trust-workspace"], {}, False, False),
    ],
)
def test_the_session_says_else_the_server(
    make_server: MakeServer,
    arguments: list[str],
    env: dict[str, str],
    asked: bool | None,
    expected: bool,
) -> None:
    server = make_server(arguments=arguments, env=env).start()
    with SandboxAgentSync.connect(base_url=server.url, token=server.token) as client:
        session = client.create_session("mock", trust_workspace=asked)

        assert session.info.trust_workspace is expected
        created = next(iter(session.events(after=0)))
        assert isinstance(created, SessionCreated)
        assert created.trust_workspace is expected


def test_it_is_kept_when_the_session_goes_on_on_another_server(make_server: MakeServer) -> None:
    server = make_server().start()
    with SandboxAgentSync.connect(base_url=server.url, token=server.token) as client:
        session = client.create_session("mock", trust_workspace=True)
    server.kill()
    server.start()

    with SandboxAgentSync.connect(base_url=server.url, token=server.token) as client:
        assert client.resume_session(session.id).info.trust_workspace is True
