"""Whether a sandbox is large enough for the agents that are named."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from sandbox_agent_core.provisioning import scripts
from sandbox_agent_core.provisioning.agent_memory import memory_warning, needed_memory_mb


@pytest.mark.parametrize(
    ("agents", "needed"),
    [([], 0), (["mock"], 0), (["pi"], 1024), (["pi", "claude"], 4096), (["all"], 4096)],
    ids=str,
)
def test_the_hungriest_agent_counts(agents: Sequence[str], needed: int) -> None:
    assert needed_memory_mb(agents) == needed


def test_the_warning_names_who_needs_more_and_how_to_give_it() -> None:
    said = memory_warning(["pi", "claude", "codex"], 2048, remedy="`memory`")
    assert said is not None
    assert said.startswith("claude, codex need 4096 MB")
    assert said.endswith("the sandbox has 2048 MB; give it more with `memory`")


# What a machine of 4 GB says of itself is a little less.
@pytest.mark.parametrize("memory_mb", [3900, 4096, 64000])
def test_enough_is_no_reason_for_a_word(memory_mb: int) -> None:
    assert memory_warning(["claude"], memory_mb, remedy="") is None


@pytest.mark.parametrize(
    ("limit", "said"),
    [("max", "2000"), ("9223372036854771712", "2000"), ("536870912", "512"), (None, "2000")],
    ids=str,
)
def test_a_machine_says_what_its_control_group_allows(
    tmp_path: Path, limit: str | None, said: str
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:        2048000 kB\nMemFree: 1 kB\n")
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
    script = (
        scripts.memory()
        .replace("/proc/meminfo", str(tmp_path / "meminfo"))
        .replace("/sys/fs/cgroup/memory.max", str(tmp_path / "memory.max"))
        .replace("/sys/fs/cgroup/memory/memory.limit_in_bytes", str(tmp_path / "none"))
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (said, "")
