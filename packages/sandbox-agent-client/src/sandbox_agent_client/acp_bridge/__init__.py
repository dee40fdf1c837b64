"""An ACP agent on stdin and stdout that is one in a sandbox: what editors start."""
