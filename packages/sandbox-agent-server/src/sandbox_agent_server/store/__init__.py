"""The index of what the logs say: SQLite, made again from them when it is gone."""
