"""Repositories that skills come from, fetched and kept: one folder for each URL and ref, without history.

Git itself is told to run nothing of theirs, to ask nobody, and to make no links. Everything here blocks.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from sandbox_agent_core.errors import InvalidRequest, SandboxAgentError, Timeout, Unavailable
from sandbox_agent_core.redact import mask

from sandbox_agent_server.runtime.children import the_children

__all__ = ["Checkouts", "check_ref", "check_url", "github_place"]

_REFRESH_AFTER_S: Final = 600.0
_POLL_S: Final = 0.1
_SAID_CHARS: Final = 600
_URL: Final = re.compile(r"(https?|ssh|git|file)://[^\s]+|[\w.-]+@[\w.-]+:[^\s:][^\s]*")
_REF: Final = re.compile(r"[\w][\w./+@-]{0,250}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_GITHUB: Final = re.compile(
    r"(?P<repo>[\w.-]+/[\w.-]+?)(\.git)?(/(?P<path>[^@]+?))?/?(@(?P<ref>.+))?"
)
_HARDENED: Final = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.symlinks=false",
    "-c", "protocol.ext.allow=never", "-c", "protocol.fd.allow=never", "-c", "fetch.recurseSubmodules=false",
    "-c", "submodule.recurse=false", "-c", "gc.auto=0", "-c", "advice.detachedHead=false",
    "-c", "init.templateDir=", "-c", "filter.lfs.smudge=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false",
)  # fmt: skip
_VARIABLES: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
    "LC_ALL": "C",
}


def github_place(source: str) -> tuple[str, str | None, str | None]:
    """`owner/repo[/path][@ref]`, also after `https://github.com/` -> URL, path, ref. Raises: InvalidRequest."""
    text = re.sub(r"^(https?://)?(www\.)?github\.com/|^github:", "", source.strip())
    found = _GITHUB.fullmatch(text)
    if found is None or any(part in (".", "..") for part in found["repo"].split("/")):
        raise InvalidRequest(
            f"{source[:128]!r} is no place on GitHub: it is `owner/repo`, `owner/repo/path` or `owner/repo@ref`"
        )
    path, ref = found["path"], found["ref"]
    if path is not None and (inside := re.fullmatch(r"tree/([^/]+)(?:/(.+))?", path)):
        ref, path = ref or inside[1], inside[2]
    return f"https://github.com/{found['repo']}.git", path, ref


def check_url(url: str) -> str:
    """Raises: InvalidRequest: git would take it for something else than a place on the network."""
    if not _URL.fullmatch(url) or url.startswith("-"):
        raise InvalidRequest(
            f"{mask(url)[:128]!r} is no URL of git: it begins with https://, ssh:// or git@HOST:"
        )
    return url


def check_ref(ref: str | None) -> str | None:
    """Raises: InvalidRequest."""
    if ref is not None and (not _REF.fullmatch(ref) or ".." in ref):
        raise InvalidRequest(f"{ref[:128]!r} is no branch, tag or commit")
    return ref


class Checkouts:
    def __init__(
        self, folder: Path, *, timeout_s: float, max_bytes: int, environ: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._environ = environ
        self._lock = threading.Lock()
        self._by_place: dict[str, threading.Lock] = {}

    def get(self, url: str, ref: str | None) -> tuple[Path, str | None]:
        """The files, and a warning when they are those of an earlier time because they cannot be fetched now.

        Raises: InvalidRequest, Unavailable, Timeout: they cannot be fetched, and never were.
        """
        place = f"{check_url(url)}\n{check_ref(ref) or ''}"
        name = hashlib.sha256(place.encode()).hexdigest()[:32]
        with self._lock:
            lock = self._by_place.setdefault(name, threading.Lock())
        with lock:
            kept = self._folder / name
            if self._is_fresh(kept, ref):
                return kept, None
            try:
                self._fetch(url, ref, kept)
            except SandboxAgentError as exc:
                if kept.is_dir():
                    return kept, f"{exc.message}; what was fetched before is used"
                raise
            return kept, None

    def _is_fresh(self, kept: Path, ref: str | None) -> bool:
        try:
            age_s = time.time() - kept.stat().st_mtime
        except OSError:
            return False
        return (ref is not None and _COMMIT.fullmatch(ref) is not None) or age_s < _REFRESH_AFTER_S

    def _fetch(self, url: str, ref: str | None, kept: Path) -> None:
        deadline = time.monotonic() + self._timeout_s
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = Path(tempfile.mkdtemp(dir=self._folder, prefix=".fetching-"))
        try:
            self._git(["init", "--quiet", "."], scratch, url, deadline)
            wanted = ["fetch", "--quiet", "--depth=1", "--no-tags", "--", url, ref or "HEAD"]
            self._git(wanted, scratch, url, deadline)
            self._git(["checkout", "--quiet", "--force", "FETCH_HEAD"], scratch, url, deadline)
            shutil.rmtree(scratch / ".git", ignore_errors=True)
            if kept.exists():
                kept.rename(old := scratch.with_name(f"{scratch.name}-old"))
                shutil.rmtree(old, ignore_errors=True)
            os.utime(scratch)
            scratch.rename(kept)
        except OSError as exc:
            raise Unavailable(f"{mask(url)!r} cannot be kept: {exc}") from exc
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _git(self, arguments: Sequence[str], at: Path, url: str, deadline: float) -> None:
        """Raises: Unavailable, Timeout."""
        env = {
            name: text
            for name, text in self._environ.items()
            if not name.startswith("SANDBOX_AGENT_")
        }
        with tempfile.TemporaryFile() as output:
            try:
                process = the_children.start(
                    lambda: subprocess.Popen(  # noqa: S603 - git, and words that were checked
                        ["git", *_HARDENED, *arguments],  # noqa: S607 - that of the PATH
                        cwd=at,
                        env={**env, **_VARIABLES},
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=output,
                        start_new_session=True,
                    )
                )
            except OSError as exc:
                raise Unavailable(
                    f"git cannot be run, which fetches {mask(url)!r}: {exc}. Install git in the sandbox"
                ) from exc
            try:
                code = self._wait(process, at, url, deadline)
            finally:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            output.seek(0)
            said = mask(output.read(65536).decode("utf-8", "replace").strip())[-_SAID_CHARS:]
        if code != 0:
            raise Unavailable(f"git cannot fetch {mask(url)!r}: {said or f'exit code {code}'}")

    def _wait(self, process: subprocess.Popen[bytes], at: Path, url: str, deadline: float) -> int:
        while True:
            try:
                return process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    raise Timeout(
                        f"{mask(url)!r} was not fetched within {self._timeout_s:g} s",
                        limit="skill_fetch_timeout_s",
                    ) from None
                if _size_of(at, self._max_bytes) > self._max_bytes:
                    raise Unavailable(
                        f"{mask(url)!r} has more than `max_skill_bytes` ({self._max_bytes})"
                    ) from None


def _size_of(folder: Path, enough: int) -> int:
    """Up to what is enough."""
    size = 0
    for at, _folders, files in os.walk(folder):
        for file in files:
            with suppress(OSError):
                size += Path(at, file).lstat().st_size
        if size > enough:
            break
    return size
