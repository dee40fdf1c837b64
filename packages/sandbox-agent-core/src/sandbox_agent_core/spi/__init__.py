"""What others implement: agents, sandbox providers and stores."""
