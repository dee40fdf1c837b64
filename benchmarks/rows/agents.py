"""What we and the peer's npm adapters add to Claude Code and Codex: time to the first word, and memory."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from support.agents import installed_binary, load_pins
from support.scripted_llm import ScriptedLLM

from benchmarks.agent_paths import AgentPath, Bare, PeerAdapter, Sample, ThroughOurServer
from benchmarks.contenders import TOKEN, OurServer
from benchmarks.row import Plan, Row, median

AGENTS = ("claude", "codex")


def measure(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    with ScriptedLLM() as llm, OurServer() as server:
        for agent in AGENTS:
            rows += _measure_agent(plan, agent, llm.url, server)
    return rows


def _measure_agent(plan: Plan, agent: str, url: str, server: OurServer) -> list[Row]:
    pins = load_pins()
    binary, adapter = (installed_binary(pins[name]) for name in (agent, f"peer-{agent}-adapter"))
    if binary is None:
        return [Row(f"{agent}: not installed", "ms", note="python scripts/install_test_agents.py")]
    with tempfile.TemporaryDirectory() as home:
        env = _environment(agent, Path(home), url)
        ours = ThroughOurServer(agent, binary, env, port=server.port, pid=server.pid, token=TOKEN)
        paths: dict[str, AgentPath] = {"bare": Bare(agent, binary, env), "ours": ours}
        node = shutil.which("node")
        if plan.peer_binary and adapter is not None and node is not None:
            paths["peer"] = PeerAdapter(agent, binary, env, adapter=adapter, node=node)
        samples: dict[str, list[Sample]] = {name: [] for name in paths}
        for path in paths.values():
            path.sample()  # caches of the program and of the disk
        for _ in range(plan.repetitions(12)):
            for name, path in paths.items():
                samples[name].append(path.sample())
    return _rows(agent, samples)


def _environment(agent: str, home: Path, url: str) -> dict[str, str]:
    plain = {"HOME": str(home), "LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    if agent == "codex":
        return plain | {"OPENAI_API_KEY": "sk-scripted", "OPENAI_BASE_URL": f"{url}/v1"}
    quiet = ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_AUTOUPDATER", "DISABLE_TELEMETRY")
    keys = {"ANTHROPIC_API_KEY": "sk-ant-scripted", "ANTHROPIC_BASE_URL": url}
    return plain | keys | dict.fromkeys(quiet, "1")


def _rows(agent: str, samples: dict[str, list[Sample]]) -> list[Row]:
    times = {
        name: median([sample.first_word_s * 1e3 for sample in taken])
        for name, taken in samples.items()
    }
    memory = {
        name: median([max(0.0, sample.adapter_pss_mib) for sample in taken])
        for name, taken in samples.items()
    }
    bare = times["bare"] or 0.0

    def added(name: str) -> float | None:
        total = times.get(name)
        return None if total is None else total - bare

    return [
        Row(
            f"{agent}: added before the first word of a new session",
            "ms",
            added("ours"),
            added("peer"),
            budget="< 1.0",
            budget_of="ratio",
            digits=0,
            note=f"bare program {bare:.0f} ms",
        ),
        Row(
            f"{agent}: memory of the adapter, per session",
            "MiB",
            memory.get("ours"),
            memory.get("peer"),
            budget="< 1.0",
            budget_of="ratio",
        ),
    ]
