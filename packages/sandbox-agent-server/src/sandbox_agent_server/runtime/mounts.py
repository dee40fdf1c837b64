"""What a confined process sees of the file system, and the command line of bubblewrap that shows it that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

__all__ = ["Mounts", "sockets_below"]

How = Literal["read", "write", "empty", "nothing", "link"]

_FLAGS: Final = {"read": "--ro-bind", "write": "--bind"}
# Programs, libraries and settings of the system. Not /run and /var: sockets of services are there.
_SYSTEM: Final = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/snap", "/sys",
)  # fmt: skip
_EMPTY: Final = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - inside, each process tree has its own
_NOTHING: Final = "/dev/null"


@dataclass(frozen=True, slots=True)
class _Mount:
    how: How
    source: str


class Mounts:
    """Places of the file system, each as one of: read, write, an empty directory, nothing, a link.

    What is deeper lies over what is above it; of one place the last word counts.
    """

    def __init__(self) -> None:
        self._by_place: dict[str, _Mount] = {}
        for place in _EMPTY:
            self.empty(Path(place))
        for place in _SYSTEM:
            path = Path(place)
            if path.is_symlink():
                self.link(path)
            elif path.is_dir():
                self.read(path)
        resolved = Path("/etc/resolv.conf").resolve()
        if resolved.is_file():
            self.read(resolved)

    def read(self, source: Path, place: Path | None = None) -> None:
        self._put("read", source, place or source)

    def write(self, source: Path, place: Path | None = None) -> None:
        self._put("write", source, place or source)

    def empty(self, place: Path) -> None:
        self._put("empty", place, place)

    def link(self, place: Path) -> None:
        self._by_place[str(place)] = _Mount("link", str(place.readlink()))

    def hide(self, path: Path) -> None:
        """Also where it is below what is shown."""
        if path.is_dir():
            self.empty(path)
        elif self.shows(path):
            self._put("nothing", Path(_NOTHING), path)

    def shows(self, path: Path) -> bool:
        """Is what is there outside also there inside?"""
        for place in (path, *path.parents):
            mount = self._by_place.get(str(place))
            if mount is not None:
                return mount.how in _FLAGS and mount.source == str(place)
        return False

    def places(self) -> list[Path]:
        """From above to below."""
        return [Path(place) for place in self._sorted()]

    def read_only_places(self) -> list[Path]:
        return [Path(place) for place, mount in self._by_place.items() if mount.how == "read"]

    def arguments(self) -> Iterator[str]:
        for place in self._sorted():
            mount = self._by_place[place]
            match mount.how:
                case "read" | "write":
                    yield from (_FLAGS[mount.how], mount.source, place)
                case "nothing":
                    yield from ("--ro-bind", mount.source, place)
                case "empty":
                    yield from ("--tmpfs", place)
                case "link":
                    yield from ("--symlink", mount.source, place)

    def _sorted(self) -> list[str]:
        return sorted(self._by_place, key=lambda place: (place.count("/"), place))

    def _put(self, how: How, source: Path, place: Path) -> None:
        self._by_place[str(place)] = _Mount(how, str(source))


def sockets_below(directories: Iterable[Path]) -> list[Path]:
    """The Unix sockets there that somebody has bound now. A read-only mount would not keep anybody from
    connecting to one."""
    try:
        lines = Path("/proc/net/unix").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return []
    bound = {line.split(maxsplit=7)[7] for line in lines.splitlines()[1:] if line.count("/")}
    wanted: Sequence[Path] = list(directories)
    return [
        path
        for path in map(Path, sorted(bound))
        if path.is_absolute() and path.is_socket() and any(path.is_relative_to(d) for d in wanted)
    ]
