"""The draft of ACP's version 2: a second translation of the same log, for clients that ask for it."""
