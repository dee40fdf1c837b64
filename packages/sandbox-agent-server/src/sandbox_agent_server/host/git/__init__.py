"""Repositories of the sandbox, through the git program. Knows no session."""
