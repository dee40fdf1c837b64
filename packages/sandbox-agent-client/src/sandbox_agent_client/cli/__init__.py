"""The `sandbox-agent` command."""
