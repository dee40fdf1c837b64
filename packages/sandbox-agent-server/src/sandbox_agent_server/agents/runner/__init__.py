"""Runs an agent, whichever it is: its environment, its opening, what it offers, and those kept ready."""
