"""Files of the sandbox: named by callers, reached through descriptors."""
