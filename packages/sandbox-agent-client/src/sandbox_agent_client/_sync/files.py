# Generated from `_async/files.py` by `scripts/unasync.py`: do not edit.
"""Files and directories of the sandbox."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
from sandbox_agent_core.api.files import (
    EntryType,
    FileChange,
    FileEntry,
    FileStat,
    FileWritten,
    FoundFiles,
    FoundText,
    Unpacked,
)
from sandbox_agent_core.errors import (
    FileChanged,
    LimitReached,
    NotADirectory,
    PathNotFound,
    ServerUnreachable,
    Timeout,
)

from sandbox_agent_client._calls import files as calls
from sandbox_agent_client._calls.files import RemotePath
from sandbox_agent_client._local_file import PartFile, pieces_of
from sandbox_agent_client._local_tree import LocalTree, TreeWriter
from sandbox_agent_client._sync._backend import Event, in_thread
from sandbox_agent_client._sync.connection import Connection

__all__ = ["FileReaderSync", "FilesSync", "OnProgress"]

OnProgress = Callable[[int, int | None], object]
"""Bytes that are through, and of how many; None when nobody knows."""
Entries = list[FileEntry]
Content = bytes | bytearray | str | IO[bytes] | Iterable[bytes]

PAGE_ENTRIES = 10_000
MAX_RECONNECTS = 7
RECONNECT_DELAY_S = 0.1
"""Twice as long each time: 25 s in all."""
MAX_TRIES = 5
"""Of a download that is cut and brings nothing more, before it is given up."""
_TAR = {"Content-Type": "application/x-tar"}


class FileReaderSync:
    """A file that is read as it comes: loop over it for pieces of it."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.etag: str | None = response.headers.get("etag")
        length = response.headers.get("content-length")
        self.size: int | None = int(length) if length is not None else None
        """Bytes that are to come; None when the file does not say."""
        self.is_part = response.status_code == httpx.codes.PARTIAL_CONTENT

    def __iter__(self) -> Iterator[bytes]:
        return self._response.iter_bytes()


class FilesSync:
    """`client.fs`. Paths are the sandbox's; a relative one begins at the home of the server's user.

        client.fs.write_text("notes.txt", "hello")
        client.fs.upload("./repo", "/repo")

    Errors that all methods raise: PathNotFound, PathForbidden (also outside of the server's `--root`), InvalidRequest
    for what is no path, PermissionDenied for a token without the scope `host`; ServerUnreachable and Timeout.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -- reading

    def read(self, path: RemotePath) -> bytes:
        """The contents of a file, in memory; `open` and `download` are for large ones.

        Raises:
            NotAFile: it is a directory, device, FIFO or socket.
        """
        with self.open(path) as reader:
            return b"".join([piece for piece in reader])

    def read_text(self, path: RemotePath, *, encoding: str = "utf-8") -> str:
        """Raises: NotAFile; UnicodeDecodeError when it is no text in this encoding."""
        return (self.read(path)).decode(encoding)

    @contextmanager
    def open(
        self,
        path: RemotePath,
        *,
        start: int = 0,
        stop: int | None = None,
        etag: str | None = None,
    ) -> Iterator[FileReaderSync]:
        """A file, to be read as it comes; or its bytes from `start` to before `stop`.

            with client.fs.open("big.log", start=1_000_000) as reader:
                for piece in reader:
                    ...

        `etag`: the part is only given of this very file; of another one it is all of it (`reader.is_part`).

        Raises:
            NotAFile: it is none. RangeNotSatisfiable: it ends before `start`.
        """
        headers = {"Accept-Encoding": "identity"}
        if start or stop is not None:
            last = "" if stop is None else str(stop - 1)
            headers["Range"] = f"bytes={start}-{last}"
            if etag is not None:
                headers["If-Range"] = etag
        call = calls.file("GET", path)
        with self._connection.open(call, headers=headers) as response:
            yield FileReaderSync(response)

    def list(self, path: RemotePath = ".") -> Entries:
        """What is in a directory, sorted by name, however much it is.

        Raises:
            NotADirectory: it is a file.
        """
        try:
            return self._connection.call(calls.entries(path))
        except LimitReached as exc:
            if exc.details.get("limit") != "max_list_entries":
                raise
        found: Entries = []
        while True:
            after = found[-1].name if found else None
            call = calls.entries(path, after=after, limit=PAGE_ENTRIES)
            page = self._connection.call(call)
            found += page
            if len(page) < PAGE_ENTRIES:
                return found

    def stat(self, path: RemotePath, *, follow_symlinks: bool = True) -> FileStat:
        """What a path leads to. Raises: PathNotFound."""
        return self._connection.call(calls.stat(path, follow_symlinks=follow_symlinks))

    def exists(self, path: RemotePath) -> bool:
        """Whether a path leads to something."""
        try:
            self.stat(path)
        except PathNotFound:
            return False
        return True

    # -- looking for something

    def find(
        self,
        query: str = "",
        path: RemotePath = ".",
        *,
        kind: EntryType | None = None,
        ignored: bool = False,
        limit: int = 1000,
        offset: int = 0,
    ) -> FoundFiles:
        """Files and directories below `path` by name, in the order of their paths.

        `query`: a glob (`*.py`, `src/**/test_*`), or words that all are in the path, in any case. `kind`: only files, or
        only directories. `ignored`: also what a `.gitignore` names, and `.git`. When there is more than `limit`, or the
        server's time was over, `truncated` of the answer says which, and `next_offset` is the `offset` that goes on.

        Raises:
            NotADirectory. LimitReached: too many searches are running.
        """
        call = calls.find(path, query, kind=kind, ignored=ignored, limit=limit, offset=offset)
        return self._connection.call(call)

    def grep(
        self,
        pattern: str,
        path: RemotePath = ".",
        *,
        literal: bool = False,
        ignore_case: bool = False,
        glob: str | None = None,
        ignored: bool = False,
        limit: int = 1000,
        offset: int = 0,
    ) -> FoundText:
        """Lines of the files below `path` by a regular expression, in the order of their paths.

        `literal`: it is a text and no expression. `glob`: only in files that it fits. Binary files are left out.
        `engine` of the answer says whose expressions they are: ripgrep's where it is installed in the sandbox, else
        Python's. The rest is as in `find`.

        Raises:
            SearchPatternInvalid: it is no expression. NotADirectory. LimitReached: too many searches are running.
        """
        call = calls.grep(
            path, pattern, literal=literal, ignore_case=ignore_case, glob=glob, ignored=ignored,
            limit=limit, offset=offset,
        )  # fmt: skip
        return self._connection.call(call)

    def watch(
        self, path: RemotePath = ".", *, recursive: bool = True
    ) -> Generator[FileChange, None, None]:
        """What changes in a directory from now on, until you leave the loop or the directory is gone.

            for change in client.fs.watch("/repo"):
                print(change.kind, change.path)

        A change of the kind `rescan` says that something may have been missed: too much happened at once, or the
        connection broke and was made again.

        Raises:
            NotADirectory. LimitReached, WatchLimitReached: the server, or its kernel, watches no more.
            ServerUnreachable: it did not come back.
        """
        call = calls.watch(path, recursive=recursive)
        tries = 0
        has_begun = False
        while True:
            try:
                with closing(self._connection.transport.events(call)) as events:
                    for event in events:
                        tries = 0
                        if event.event == "change":
                            yield calls.change_of(event.data)
                        elif event.event == "ready" and has_begun:
                            yield FileChange(kind="rescan", path=calls.path_text(path))
                        has_begun = True
                return
            except ServerUnreachable:
                tries += 1
                if not has_begun or tries > MAX_RECONNECTS:
                    raise
            Event().wait(RECONNECT_DELAY_S * 2**tries)

    # -- changing

    def write(
        self,
        path: RemotePath,
        content: Content,
        *,
        mode: int | None = None,
        overwrite: bool = True,
        if_match: str | None = None,
    ) -> FileWritten:
        """Write a file, whole or not at all; the directories above it are made.

        `content`: bytes, a text, a binary file that is open, or any iterable of bytes. `mode`: permissions; default:
        those of the file that is replaced. `if_match`: only if the file has this etag (of a `stat` or an earlier write).

        Raises:
            PathExists: there is a file, and `overwrite` is False. FileChanged: it has another etag.
            NotAFile, NotADirectory. DiskFull. PayloadTooLarge: the server has a `max_upload_bytes`.
        """
        headers = {} if if_match is None else {"If-Match": if_match}
        call = calls.write(path, mode=mode, overwrite=overwrite)
        if isinstance(content, str):
            content = content.encode()
        if isinstance(content, bytes | bytearray):
            return self._connection.send(call, bytes(content), headers=headers)
        return self._connection.send(call, _sent(pieces_of(content)), headers=headers)

    def write_text(
        self, path: RemotePath, text: str, *, encoding: str = "utf-8", mode: int | None = None
    ) -> FileWritten:
        """As `write`."""
        return self.write(path, text.encode(encoding), mode=mode)

    def mkdir(self, path: RemotePath) -> None:
        """Make a directory and those above it; one that is there is fine. Raises: NotADirectory."""
        self._connection.call(calls.make_directory(path))

    def move(self, source: RemotePath, target: RemotePath, *, overwrite: bool = False) -> None:
        """Move or rename a file or a directory; directories above the target are made.

        Raises:
            PathExists: there is something at the target, and `overwrite` is False.
        """
        self._connection.call(calls.move(source, target, overwrite=overwrite))

    def remove(self, path: RemotePath, *, recursive: bool = False) -> None:
        """Remove a file, a link itself, or a directory: with `recursive` with all it has.

        Raises:
            DirectoryNotEmpty: it has something, and `recursive` is False.
        """
        self._connection.call(calls.remove(path, recursive=recursive))

    # -- to and from this machine

    def upload(
        self, local: str | os.PathLike[str], path: RemotePath, *, progress: OnProgress | None = None
    ) -> None:
        """A file of this machine as the file `path`, or what is in a directory into the directory `path`.

        All of it or nothing is written. Links are uploaded as links; `progress` is called as bytes are sent.

        Raises:
            OSError: it cannot be read here. As `write`.
        """
        source = Path(local)
        if in_thread(source.is_dir):
            self._upload_tree(source, path, progress)
            return
        file = in_thread(source.open, "rb")
        try:
            status = os.fstat(file.fileno())
            _report(progress, 0, status.st_size)
            content = _sent(pieces_of(file), progress, status.st_size)
            call = calls.write(path, mode=status.st_mode & 0o777, overwrite=True)
            self._connection.send(call, content)
        finally:
            file.close()

    def _upload_tree(self, source: Path, path: RemotePath, progress: OnProgress | None) -> Unpacked:
        tree = in_thread(LocalTree.at, source)
        _report(progress, 0, tree.size)

        def packed() -> Iterator[bytes]:
            done = 0
            pieces = tree.packed()
            while (piece := in_thread(next, pieces, None)) is not None:
                yield piece[0]
                done += piece[1]
                if piece[1]:
                    _report(progress, done, tree.size)

        return self._connection.send(calls.unpack(path), packed(), headers=_TAR)

    def download(
        self, path: RemotePath, local: str | os.PathLike[str], *, progress: OnProgress | None = None
    ) -> None:
        """The file `path` as a file of this machine, or what is in a directory into a directory of this machine.

        A connection that breaks is made again, and the file goes on where it was, also in a later call: what has come
        is kept beside the target until then. Links that lead out of the directory are left away.

        Raises:
            OSError: it cannot be written here. ServerUnreachable: the connection broke too often.
        """
        target = Path(local)
        found = self.stat(path)
        if found.is_directory:
            self._download_tree(path, target, progress)
        else:
            self._download_file(path, target, found, progress)

    def _download_file(
        self, path: RemotePath, target: Path, found: FileStat, progress: OnProgress | None
    ) -> None:
        part = in_thread(PartFile, target, found)
        tries = 0
        try:
            while True:
                before = part.size
                try:
                    self._continue(path, part, found, progress)
                    break
                except (ServerUnreachable, Timeout):
                    tries = 1 if part.size > before else tries + 1
                    if tries == MAX_TRIES:
                        raise
            in_thread(part.finish)
        finally:
            in_thread(part.close)

    def _continue(
        self, path: RemotePath, part: PartFile, found: FileStat, progress: OnProgress | None
    ) -> None:
        if part.size and part.size == found.size:
            return
        with self.open(path, start=part.size, etag=found.etag) as reader:
            if found.etag is not None and reader.etag != found.etag:
                raise FileChanged(
                    f"{calls.path_text(path)!r} was written while it was downloaded; try again"
                )
            if not reader.is_part:
                in_thread(part.restart)
            total = None if reader.size is None else part.size + reader.size
            _report(progress, part.size, total)
            for piece in reader:
                in_thread(part.write, piece)
                _report(progress, part.size, total)

    def _download_tree(self, path: RemotePath, target: Path, progress: OnProgress | None) -> None:
        if in_thread(target.is_file):
            raise NotADirectory(f"{str(target)!r} is a file, and {path!r} a directory")
        tree = in_thread(TreeWriter, target)
        done = 0
        try:
            with self._connection.open(calls.archive(path)) as response:
                _report(progress, 0, None)
                for piece in response.iter_bytes():
                    done += in_thread(tree.feed, piece)
                    _report(progress, done, None)
            in_thread(tree.finish)
        except BaseException:
            tree.abort()
            raise


def _sent(
    pieces: Any, progress: OnProgress | None = None, total: int | None = None
) -> Iterator[bytes]:
    done = 0
    while piece := in_thread(next, pieces, b""):
        yield piece
        done += len(piece)
        _report(progress, done, total)


def _report(progress: OnProgress | None, done: int, total: int | None) -> None:
    if progress is not None:
        progress(done, total)
