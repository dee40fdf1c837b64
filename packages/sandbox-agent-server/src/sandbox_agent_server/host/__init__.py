"""The machine that the agents work on. Knows no session and no agent."""
