"""A session's log: the file, the one door to it, and those who read it."""
