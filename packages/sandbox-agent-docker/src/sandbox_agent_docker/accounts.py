"""The accounts of an image, `/etc/passwd` and `/etc/group`: read, and completed by who runs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["GROUP_FILE", "PASSWD_FILE", "Account", "Accounts"]

PASSWD_FILE = "/etc/passwd"  # noqa: S105 - a path
GROUP_FILE = "/etc/group"
ACCOUNT = "agent"
"""The name of a user that the image does not know."""
SHELL = "/bin/sh"


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, slots=True)
class Accounts:
    passwd: str = ""
    group: str = ""

    def find(self, user: str) -> Account | None:
        """Of `name`, `uid`, `name:group` or `uid:gid`, as Docker takes a user."""
        wanted = user.partition(":")[0]
        return next(
            (one for one in self._all() if wanted in {one.name, str(one.uid)}),
            None,
        )

    def uid_of(self, user: str) -> int | None:
        """None: a name that is not known."""
        wanted = user.partition(":")[0] or "0"
        if wanted.isdigit():
            return int(wanted)
        account = self.find(wanted)
        return account.uid if account else None

    def gid_of(self, user: str) -> int:
        """The group that Docker gives to it: the one that is named, else its own, else 0."""
        _, colon, group = user.partition(":")
        if colon:
            known = next((number for name, number in self._groups() if name == group), 0)
            return int(group) if group.isdigit() else known
        account = self.find(user)
        return account.gid if account else 0

    def with_user(self, uid: int, gid: int, *, home: str) -> Accounts:
        """These, and an entry for each of the numbers that has none: many programs refuse to run without."""
        names = {one.name for one in self._all()} | {name for name, _ in self._groups()}
        name = ACCOUNT if ACCOUNT not in names else f"{ACCOUNT}-{uid}"
        passwd, group = self.passwd, self.group
        if all(one.uid != uid for one in self._all()):
            passwd = _with_line(passwd, f"{name}:x:{uid}:{gid}::{home}:{SHELL}")
        if all(number != gid for _, number in self._groups()):
            group = _with_line(group, f"{name}:x:{gid}:")
        return Accounts(passwd, group)

    def _all(self) -> Sequence[Account]:
        rows = (line.split(":") for line in self.passwd.splitlines())
        return [
            Account(row[0], int(row[2]), int(row[3]), row[5])
            for row in rows
            if len(row) >= 6 and row[2].isdigit() and row[3].isdigit()
        ]

    def _groups(self) -> Sequence[tuple[str, int]]:
        rows = (line.split(":") for line in self.group.splitlines())
        return [(row[0], int(row[2])) for row in rows if len(row) >= 3 and row[2].isdigit()]


def _with_line(text: str, line: str) -> str:
    return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n"
