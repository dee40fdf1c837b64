"""Images: the one that a sandbox is made from, pulled or built."""
