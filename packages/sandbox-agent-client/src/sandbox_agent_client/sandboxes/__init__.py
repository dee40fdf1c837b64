"""Sandboxes that this machine starts, takes over, finds and sweeps; and the provider that is built in."""
