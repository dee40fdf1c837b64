"""What is measured, in the order of the report."""

from __future__ import annotations

from benchmarks.row import Measurement

from . import (
    acp,
    agents,
    batch,
    big_file,
    big_updates,
    burst,
    catch_up,
    docker_start,
    dormant,
    fan_out,
    footprint,
    host,
    inspector_load,
    inspector_reading,
    kubernetes_scale,
    latency,
    pool,
    slow_reader,
    soak,
    start,
    stored,
    terminal,
)

MEASUREMENTS: dict[str, Measurement] = {
    "burst": burst.measure,
    "latency": latency.measure,
    "acp": acp.measure,
    "host": host.measure,
    "terminal": terminal.measure,
    "big-file": big_file.measure,
    "inspector-load": inspector_load.measure,
    "inspector-reading": inspector_reading.measure,
    "catch-up": catch_up.measure,
    "slow-reader": slow_reader.measure,
    "fan-out": fan_out.measure,
    "start": start.measure,
    "pool": pool.measure,
    "docker-start": docker_start.measure,
    "dormant": dormant.measure,
    "footprint": footprint.measure,
    "stored": stored.measure,
    "soak": soak.measure,
    "big-updates": big_updates.measure,
    "agents": agents.measure,
    "batch": batch.measure,
    "kubernetes-scale": kubernetes_scale.measure,
}

__all__ = ["MEASUREMENTS"]
