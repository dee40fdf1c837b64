"""The HTTP API without I/O: one function per endpoint, each answers with a `Call`."""

from sandbox_agent_client._calls.call import Call, Query, encoded

__all__ = ["Call", "Query", "encoded"]
