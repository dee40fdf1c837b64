"""Bytes of files over HTTP, both ways: in pieces whose memory does not depend on the size of a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sandbox_agent_core.errors import (
    InvalidRequest,
    LimitReached,
    PayloadTooLarge,
    RangeNotSatisfiable,
    SandboxAgentError,
)
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from sandbox_agent_server.host.files.files import Files
from sandbox_agent_server.host.files.packing import Packing
from sandbox_agent_server.host.files.reading import OpenFile
from sandbox_agent_server.host.files.unpacking import Unpacking
from sandbox_agent_server.host.files.writing import Replacement, WriteOptions, Written
from sandbox_agent_server.http.body import whole_number
from sandbox_agent_server.http.errors import problem_response
from sandbox_agent_server.http.ranges import Span, choose, http_date
from sandbox_agent_server.http.stream import (
    ABORT,
    BODY_BY_PROGRESS,
    first_of,
    until_disconnected,
)

__all__ = [
    "ArchiveAnswer",
    "FileAnswer",
    "Transfers",
    "body_pieces",
    "receive_archive",
    "receive_file",
]

_LARGE_PIECE: Final = 1024 * 1024
_SMALL_PIECE: Final = 64 * 1024
_FEW: Final = 32


class Transfers:
    """How many there are, and how large the pieces of one may be so that all of them fit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.open = 0

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Raises: LimitReached."""
        if self.open >= self._limit:
            raise LimitReached(
                f"{self.open} files are being transferred; try again when some are done",
                limit="max_transfers",
                value=self._limit,
            )
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    @property
    def piece_bytes(self) -> int:
        return _LARGE_PIECE if self.open <= _FEW else _SMALL_PIECE


class FileAnswer:
    """An ASGI response: a file, a range of it, or that it is the one the client has.

    Raises, before anything is sent, what `OpenFile` does, and LimitReached.
    """

    def __init__(self, files: Files, transfers: Transfers, path: str) -> None:
        self._files = files
        self._transfers = transfers
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        with self._transfers.hold():
            try:
                file, span, first = await self._begun(headers)
            except RangeNotSatisfiable as exc:
                about = {"content-range": f"bytes */{exc.details['size']}"}
                await problem_response(exc, about)(scope, receive, send)
                return
            try:
                await self._answer(file, span, first, scope, receive, send)
            finally:
                file.close()

    async def _begun(self, headers: Headers) -> tuple[OpenFile, Span, bytes]:
        """In a thread only if something would have to be waited for, or is large."""
        file = self._files.at_once.open_file(self._path)
        if file is not None:
            try:
                span = _chosen(file, headers)
                size = self._first_bytes(file, span)
                first = file.read_cached(span.start, size) if size <= _SMALL_PIECE else None
            except BaseException:
                file.close()
                raise
            if first is not None:
                return file, span, first
        try:
            return await self._files.threads.run_undoing(
                lambda begun: begun[0].close(), self._begin, headers, file
            )
        except BaseException:
            if file is not None:
                file.close()  # the thread may never have begun
            raise

    def _begin(self, headers: Headers, file: OpenFile | None) -> tuple[OpenFile, Span, bytes]:
        file = file or OpenFile.opened(self._files.paths, self._path)
        try:
            span = _chosen(file, headers)
            return file, span, file.read(span.start, self._first_bytes(file, span))
        except BaseException:
            file.close()
            raise

    def _first_bytes(self, file: OpenFile, span: Span) -> int:
        if span.status == 304:
            return 0
        return min(span.stop - span.start if file.size else _SMALL_PIECE, self._piece)

    @property
    def _piece(self) -> int:
        return self._transfers.piece_bytes

    async def _answer(
        self, file: OpenFile, span: Span, first: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        size = span.stop - span.start
        is_endless = file.size == 0 and bool(first)
        await send(
            {
                "type": "http.response.start",
                "status": span.status,
                "headers": _headers(file, span, None if is_endless else size),
            }
        )
        if scope["method"] == "HEAD" or span.status == 304:
            await send({"type": "http.response.body", "body": b""})
            return

        async def send_all() -> None:
            sent, piece = 0, first
            while piece:
                sent += len(piece)
                is_last = sent == size and not is_endless
                await send({"type": "http.response.body", "body": piece, "more_body": not is_last})
                if is_last:
                    return
                wanted = self._piece if is_endless else min(self._piece, size - sent)
                piece = await self._files.run(file.read, span.start + sent, wanted)
            if sent < size:
                # It became shorter under us, and the length is said already.
                scope.get(ABORT, _nothing)()
                return
            await send({"type": "http.response.body", "body": b""})

        try:
            if len(first) == size:
                await send_all()
            else:
                await first_of(send_all(), until_disconnected(receive))
        except SandboxAgentError:
            scope.get(ABORT, _nothing)()


def _chosen(file: OpenFile, headers: Headers) -> Span:
    """Raises: RangeNotSatisfiable, FileChanged."""
    # Ranges are of what has a size: files of /proc are made when they are read, and say 0.
    return choose(
        headers if file.size else {}, etag=file.etag, modified_s=file.modified_s, size=file.size
    )


def _headers(file: OpenFile, span: Span, size: int | None) -> list[tuple[bytes, bytes]]:
    headers = {
        "etag": file.etag,
        "last-modified": http_date(file.modified_s),
        "accept-ranges": "bytes",
    }
    if span.status != 304:
        headers["content-type"] = "application/octet-stream"
        headers["x-content-type-options"] = "nosniff"
        if size is not None:
            headers["content-length"] = str(size)
    if span.status == 206:
        headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{file.size}"
    return [(name.encode(), value.encode()) for name, value in headers.items()]


async def body_pieces(
    request: Request, transfers: Transfers, *, limit: int | None, stall_s: float
) -> AsyncIterator[list[bytes]]:
    """A body of any length, some pieces at a time; the last ones when it is whole.

    Raises:
        PayloadTooLarge: over the limit. InvalidRequest: the client left before the end.
    """
    request.scope.get(BODY_BY_PROGRESS, _nothing)(stall_s)
    too_large = PayloadTooLarge(
        f"an upload may have {limit} bytes", limit="max_upload_bytes", value=limit
    )
    if limit is not None and (whole_number(request.headers.get("content-length", "")) or 0) > limit:
        raise too_large
    pieces: list[bytes] = []
    held = received = 0
    try:
        async for piece in request.stream():
            received += len(piece)
            if limit is not None and received > limit:
                raise too_large
            pieces.append(piece)
            held += len(piece)
            if held >= transfers.piece_bytes:
                yield pieces
                pieces, held = [], 0
    except ClientDisconnect as exc:
        raise InvalidRequest("the client left before its body was complete") from exc
    yield pieces


async def receive_file(
    request: Request, files: Files, transfers: Transfers, path: str, options: WriteOptions
) -> Written:
    """The body of a request as a file: whole, or not at all.

    Raises: as `Replacement` and `body_pieces`; LimitReached.
    """
    limits = files.limits
    with transfers.hold():
        body = body_pieces(
            request, transfers, limit=limits.max_upload_bytes, stall_s=limits.upload_stall_s
        )
        size = whole_number(request.headers.get("content-length", ""))
        if size is not None and size < _SMALL_PIECE:
            pieces = [piece async for some in body for piece in some]
            return await files.run(_write_whole, files, path, options, pieces)
        # What is wrong with the path is said before all of it has come.
        file = await files.threads.run_undoing(
            Replacement.abort, Replacement, files.paths, path, options,
            reserve_bytes=limits.disk_reserve_bytes,
        )  # fmt: skip
        try:
            async for some in body:
                await files.run(file.write, some)
            return await files.run(file.commit)
        finally:
            await files.run(file.abort)


async def receive_archive(
    request: Request, files: Files, transfers: Transfers, path: str, *, is_gzip: bool
) -> dict[str, Any]:
    """The body of a request as the files that are packed in it; the members of an Unpacked.

    Raises: as `Unpacking` and `body_pieces`; LimitReached.
    """
    limits = files.limits
    with transfers.hold():
        unpacking = await files.threads.run_undoing(
            Unpacking.abort, Unpacking, files.paths, path, limits, is_gzip=is_gzip
        )
        try:
            async for some in body_pieces(
                request, transfers, limit=limits.max_upload_bytes, stall_s=limits.upload_stall_s
            ):
                await files.run(unpacking.feed, some)
            return await files.run(unpacking.finish)
        finally:
            await files.run(unpacking.abort)


class ArchiveAnswer:
    """An ASGI response: a directory as a tar, made as it is sent. What goes wrong in the midst cuts the connection.

    Raises, before anything is sent, what `Packing` does, and LimitReached.
    """

    def __init__(self, files: Files, transfers: Transfers, path: str, *, is_gzip: bool) -> None:
        self._files = files
        self._transfers = transfers
        self._path = path
        self._is_gzip = is_gzip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._transfers.hold():
            packing = await self._files.threads.run_undoing(
                Packing.close, Packing, self._files.paths, self._path, is_gzip=self._is_gzip
            )
            try:
                kind = b"application/gzip" if self._is_gzip else b"application/x-tar"
                headers = [(b"content-type", kind), (b"x-content-type-options", b"nosniff")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                if scope["method"] == "HEAD":
                    await send({"type": "http.response.body", "body": b""})
                    return
                await first_of(self._send_all(packing, send), until_disconnected(receive))
            except SandboxAgentError:
                scope.get(ABORT, _nothing)()
            finally:
                await self._files.run(packing.close)

    async def _send_all(self, packing: Packing, send: Send) -> None:
        while piece := await self._files.run(packing.read):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _write_whole(files: Files, path: str, options: WriteOptions, pieces: list[bytes]) -> Written:
    reserve = files.limits.disk_reserve_bytes
    file = Replacement(files.paths, path, options, reserve_bytes=reserve)
    try:
        file.write(pieces)
        return file.commit()
    finally:
        file.abort()


def _nothing(*_: object) -> None: ...
