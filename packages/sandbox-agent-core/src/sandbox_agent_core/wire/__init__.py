"""Codecs without I/O: newline-delimited JSON, server-sent events, problem documents."""
