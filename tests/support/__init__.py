"""What tests of several packages share: a scripted model endpoint and the agents' pins."""
