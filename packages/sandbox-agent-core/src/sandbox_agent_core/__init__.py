"""What server, client and providers of sandbox-agent share. No I/O.

Its front doors: `events`, `errors`, `frames`, `projection`, `view`, `content`, and `spi` for those who
write agents, providers and stores. Each is imported by itself: a provider needs no models.
"""
