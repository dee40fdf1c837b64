"""What a directory is configured with for the sessions in it: MCP servers and skills."""
