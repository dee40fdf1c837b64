"""`python -m sandbox_agent_client` is `sandbox-agent`, where that is not on the PATH."""

from sandbox_agent_client.cli.main import main

if __name__ == "__main__":
    main()
