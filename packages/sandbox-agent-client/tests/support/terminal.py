"""A command with a person at the terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["DEADLINE_S", "PROGRAM", "Terminal"]

PROGRAM = [str(Path(sys.executable).parent / "sandbox-agent")]
DEADLINE_S = 60.0


class Terminal:
    def __init__(
        self, environment: dict[str, str], *arguments: str, program: list[str] = PROGRAM
    ) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*program, *arguments],
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.text = ""
        """All that was on the screen, without its colours."""

    def wait_for(self, wanted: str, *, times: int = 1) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while self.text.count(wanted) < times:
            assert time.monotonic() < deadline, self.text
            self._read(0.1)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self) -> int:
        deadline = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text
            self._read(0.05)
        self._read(0.05)
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)

    def _read(self, timeout_s: float) -> None:
        ready, _, _ = select.select([self._master], [], [], timeout_s)
        if ready:
            try:
                chunk = os.read(self._master, 65536).decode("utf-8", "replace")
            except OSError:  # the other side is closed
                return
            self.text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", chunk).replace("\r\n", "\n")
