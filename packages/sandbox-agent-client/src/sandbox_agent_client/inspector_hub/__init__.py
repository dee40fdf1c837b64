"""One Inspector for all servers: `sandbox-agent ui`."""
