"""Processes and their pipes. Knows no agent and no protocol."""
