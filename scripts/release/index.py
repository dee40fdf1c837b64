"""A package index on loopback, with what was built."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

__all__ = ["serve_index"]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args: Any) -> None:
        pass


@contextmanager
def serve_index(dist: Path) -> Iterator[str]:
    """Its URL. Directory listings are pages of the simple API: links to files, below the name of each project."""
    with TemporaryDirectory(prefix="release-index-") as root:
        for file in dist.iterdir():
            project = Path(root, "simple", file.name.partition("-")[0].replace("_", "-"))
            project.mkdir(parents=True, exist_ok=True)
            (project / file.name).symlink_to(file)
        with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=root)) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}/simple"
            finally:
                server.shutdown()
                thread.join()
