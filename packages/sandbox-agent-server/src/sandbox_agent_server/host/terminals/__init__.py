"""Terminals: what somebody who comes later is shown first."""
