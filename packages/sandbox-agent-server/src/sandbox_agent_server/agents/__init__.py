"""The agents: which there are, what they may see, and an adapter for each way of speaking."""
