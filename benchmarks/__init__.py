"""Our server beside the peer's, same machine, same agent, same reader, repetitions interleaved.

python -m benchmarks [--quick] [--only NAME] [--write-docs]
"""
