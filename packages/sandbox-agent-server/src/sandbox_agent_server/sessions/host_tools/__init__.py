"""Functions of a client as tools of the agent: served to it over MCP, answered by the client through the log."""
