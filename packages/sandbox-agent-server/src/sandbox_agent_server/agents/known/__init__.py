"""Agents that speak ACP and take no more than a small specification each."""
