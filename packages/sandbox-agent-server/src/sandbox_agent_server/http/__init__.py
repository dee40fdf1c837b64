"""The edge: parse, call, render. No business rule lives here."""
