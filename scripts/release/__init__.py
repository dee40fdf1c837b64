"""What `release_check.py` consists of."""
