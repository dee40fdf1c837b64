"""The server as the agent's side of an ACP client, which may hold many sessions over one connection."""
