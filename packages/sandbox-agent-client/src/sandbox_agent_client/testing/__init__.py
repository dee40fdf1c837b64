"""The conformance suite for sandbox providers: see `providers`. Needs the extra `[testing]`."""

import pytest

pytest.register_assert_rewrite("sandbox_agent_client.testing.providers")
