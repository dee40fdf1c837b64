"""Trials carried out: in sandboxes of their own or in one, by this process."""
