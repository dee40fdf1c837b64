"""The conformance suites for sandbox providers and for transcript stores: see `providers` and `stores`.

Needs the extra `[testing]`.
"""

import pytest

pytest.register_assert_rewrite(
    "sandbox_agent_client.testing.providers", "sandbox_agent_client.testing.stores"
)
