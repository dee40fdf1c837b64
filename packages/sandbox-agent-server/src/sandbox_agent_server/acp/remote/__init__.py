"""ACP's remote transport without its wires: one client, the sessions that it has, and what goes to it."""
