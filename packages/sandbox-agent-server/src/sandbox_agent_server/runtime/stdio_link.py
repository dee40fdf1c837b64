"""An ordered, lossless pipe of lines to a child process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sandbox_agent_server.runtime.launching import Prepare
from sandbox_agent_server.runtime.lines import LineSplitter
from sandbox_agent_server.runtime.process_link import ProcessLink

__all__ = ["StdioLink"]


class StdioLink(ProcessLink):
    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path,
        env: Mapping[str, str],
        on_lines: Callable[[list[bytes]], None],
        on_end: Callable[[], None],
        max_line_bytes: int = 32 * 1024 * 1024,
        stop_grace_s: float = 2.0,
        prepare: Prepare | None = None,
        on_process: Callable[[int], None] = lambda _pid: None,
    ) -> None:
        """`on_lines` gets the whole lines of each read; one over `max_line_bytes` is an `OversizeLine`
        in its place. Otherwise as `ProcessLink`.
        """
        splitter = LineSplitter(max_line_bytes)

        def on_data(data: bytes) -> None:
            if lines := splitter.feed(data):
                on_lines(lines)

        def on_rest() -> None:
            if lines := splitter.flush():
                on_lines(lines)
            on_end()

        super().__init__(
            argv,
            cwd=cwd,
            env=env,
            on_data=on_data,
            on_end=on_rest,
            stop_grace_s=stop_grace_s,
            prepare=prepare,
            on_process=on_process,
        )

    def send(self, line: bytes) -> None:
        """Write one line, given without its newline; see `write`."""
        self.write(line + b"\n")
