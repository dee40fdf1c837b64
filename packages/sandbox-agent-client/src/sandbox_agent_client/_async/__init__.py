"""The asynchronous client: the source that `_sync` is generated from (`scripts/unasync.py`)."""
