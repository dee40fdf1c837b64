"""`python -m sandbox_agent_server`."""

import sys

from sandbox_agent_server.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
