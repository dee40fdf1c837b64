"""Wheels of our own packages, packed from what is installed here: they work in a sandbox before anything is
published, and are the very code that the caller runs. Needs no build tool and no source checkout."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from sandbox_agent_core.spi.provider import Wheel

__all__ = ["inspector_wheels", "server_wheels", "wheel_of", "write_wheel"]

SERVER_PACKAGES = ("sandbox-agent-core", "sandbox-agent-server")
INSPECTOR_PACKAGE = "sandbox-agent-inspector"
_INSPECTOR_PAGE = "sandbox_agent_inspector/static/index.html"
PURE_TAG = "py3-none-any"
_METADATA_FILES = ("METADATA", "entry_points.txt")
_OLDEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@cache
def server_wheels() -> Sequence[Wheel]:
    """The server and what it needs of ours; empty when the server is not installed here.

    Packed once per process.
    """
    try:
        return tuple(wheel_of(distribution(name)) for name in SERVER_PACKAGES)
    except PackageNotFoundError:
        return ()


@cache
def inspector_wheels() -> Sequence[Wheel]:
    """The Inspector's files, for a server to be installed with; empty when they are not here. From a checkout in which
    nobody has built them there is nothing to show."""
    try:
        wheel = wheel_of(distribution(INSPECTOR_PACKAGE))
    except PackageNotFoundError:
        return ()
    return (wheel,) if _INSPECTOR_PAGE in _names(wheel) else ()


def _names(wheel: Wheel) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(wheel.content)) as archive:
        return archive.namelist()


def wheel_of(installed: Distribution) -> Wheel:
    """The wheel of an installed pure package with one top-level package of the same name.

    It does not matter whether that is installed regularly or in editable mode. The same files give the
    same bytes.
    """
    package = installed.name.replace("-", "_")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise PackageNotFoundError(installed.name)
    root = Path(spec.origin).parent
    files = {
        f"{package}/{path.relative_to(root).as_posix()}": path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    metadata = {name: text for name in _METADATA_FILES if (text := installed.read_text(name))}
    return write_wheel(package, installed.version, files, metadata)


def write_wheel(
    name: str,
    version: str,
    files: Mapping[str, bytes],
    metadata: Mapping[str, str],
    *,
    tag: str = PURE_TAG,
) -> Wheel:
    """`files` by their path in site-packages; `metadata` is what is in the dist-info directory."""
    info = f"{name}-{version}.dist-info"
    described = (
        "Wheel-Version: 1.0\nGenerator: sandbox-agent\n"
        f"Root-Is-Purelib: {str(tag == PURE_TAG).lower()}\nTag: {tag}\n"
    )
    contents = dict(files) | {f"{info}/{file}": text.encode() for file, text in metadata.items()}
    contents[f"{info}/WHEEL"] = described.encode()
    record = [
        f"{path},{_digest(contents[path])},{len(contents[path])}" for path in sorted(contents)
    ]
    record.append(f"{info}/RECORD,,")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(contents):
            archive.writestr(_entry(path), contents[path])
        archive.writestr(_entry(f"{info}/RECORD"), "\n".join(record) + "\n")
    return Wheel(filename=f"{name}-{version}-{tag}.whl", content=buffer.getvalue())


def _entry(path: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, date_time=_OLDEST_ZIP_TIME)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _digest(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"
