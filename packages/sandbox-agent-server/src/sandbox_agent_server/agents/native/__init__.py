"""What all agents with a protocol of their own share; an adapter is a table of handlers and a translator."""
