"""Programs that callers run: once, or as processes with a log, an input and perhaps a terminal."""
