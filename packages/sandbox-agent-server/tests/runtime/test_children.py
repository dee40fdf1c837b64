"""Being the parent of orphans. It is a property of a process, so each test has one of its own."""

from __future__ import annotations

import subprocess
import sys

PREAMBLE = """
import os, subprocess, sys, time
from sandbox_agent_server.runtime import proc_table
from sandbox_agent_server.runtime.children import Children

def until(is_so):
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)

def is_dead(pid):
    stat = proc_table.read_one(pid)
    return stat is None or stat.is_zombie

def start(code):
    argv = [sys.executable, "-IS", "-c", "import os, time\\n" + code]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True)

def orphan(children, code):
    parent = children.start(lambda: start(
        "child = os.fork()\\nif child: print(child, flush=True); os._exit(0)\\n" + code))
    pid = int(parent.stdout.readline())
    parent.wait()
    until(lambda: proc_table.read_one(pid).parent == os.getpid())
    return pid

children = Children()
children.adopt_orphans()
"""


def run(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_a_dead_orphan_is_collected_and_nothing_else() -> None:
    run("""
known = children.start(lambda: start("os._exit(7)"))
unknown = start("os._exit(8)")
pid = orphan(children, "os._exit(0)")
until(lambda: all(map(is_dead, (known.pid, unknown.pid, pid))))
children.bury_orphans()
# Whoever waits for his own child has done so before the next look.
assert (unknown.wait(), proc_table.read_one(pid).is_zombie) == (8, True)
children.bury_orphans()
assert proc_table.read_one(pid) is None
assert known.wait() == 7
""")


def test_what_was_started_here_is_no_orphan() -> None:
    run("""
known = children.start(lambda: start("time.sleep(60)"))
noted = start("time.sleep(60)")
children.own(noted.pid)
pid = orphan(children, "time.sleep(60)")
assert [stat.pid for stat in children.orphans(proc_table.read_all())] == [pid]
known.kill(); noted.kill(); os.kill(pid, 9)
""")


def test_what_is_just_being_started_is_no_orphan() -> None:
    run("""
seen = []
def launch():
    process = start("time.sleep(60)")
    seen.extend(children.orphans(proc_table.read_all()))
    return process
children.start(launch).kill()
assert seen == []
""")


def test_what_has_been_collected_is_forgotten() -> None:
    run("""
started = children.start(lambda: start("os._exit(0)"))
since = children._own[started.pid]
started.wait()
children.disown(started.pid, since + 1)
assert children._own == {started.pid: since}, "another one, that has the pid now"
children.disown(started.pid, since)
assert children._own == {}
""")


def test_an_orphan_that_another_command_left_on_purpose_outlives_a_tree() -> None:
    run("""
from sandbox_agent_server.runtime.children import the_children
from sandbox_agent_server.runtime.marker import PROCESS_MARKER
from sandbox_agent_server.runtime.process_tree import ProcessTree

the_children.adopt_orphans()
agent = the_children.start(lambda: start("time.sleep(60)"))
leader = proc_table.read_one(agent.pid)
tree = ProcessTree(marker="directory.agent", leader=(leader.pid, leader.start_time))
os.environ[PROCESS_MARKER] = "directory.command"
marked = orphan(the_children, "time.sleep(60)")
del os.environ[PROCESS_MARKER]
unmarked = orphan(the_children, "time.sleep(60)")
assert tree.kill(5.0)
assert is_dead(agent.pid) and is_dead(unmarked) and not is_dead(marked)
assert ProcessTree(marker="directory").kill(5.0)
assert is_dead(marked)
""")
