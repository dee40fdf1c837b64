"""What agents, which run as the same user, can read of the server."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOKS = """
import ctypes, os, sys
from sandbox_agent_server.cli.own_environment import deny_inspection

def another_process_reads() -> bool:
    child = os.fork()
    if child == 0:
        try:
            open(f"/proc/{os.getppid()}/mem", "rb").close()
        except PermissionError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # changing the user had hidden it already
before = another_process_reads()
deny_inspection()
print(before, another_process_reads())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux does it")
def test_no_process_of_the_same_user_reads_the_memory_of_the_server() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOKS], capture_output=True, text=True, timeout=60, check=False
    )
    if done.stdout == "False False\n":
        pytest.skip("this kernel lets nobody look into another process (Yama)")
    assert (done.stdout, done.stderr) == ("True False\n", "")
