"""Ports of the sandbox: what listens, and which of them may be reached through the server."""
