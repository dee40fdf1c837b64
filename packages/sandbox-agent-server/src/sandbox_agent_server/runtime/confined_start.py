"""The thread that starts confined processes: what it gives up for itself, they never had.

Namespaces do not hide the abstract Unix sockets of a machine (X, D-Bus, containerd) from who shares its
network. Landlock does, from Linux 6.12 on. It restricts a thread and what that starts, so there is a
thread for it. It never ends: Linux takes the end of the thread that started a process for the death of
the parent, with which bubblewrap ends.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

__all__ = ["confined_thread", "has_scopes"]

logger = logging.getLogger(__name__)

_CREATE_RULESET: Final = 444
_RESTRICT_SELF: Final = 446
_GET_VERSION: Final = 1
_FIRST_WITH_SCOPES: Final = 6
_ABSTRACT_UNIX_SOCKETS: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


@functools.cache
def confined_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="confined", initializer=_give_up)


def has_scopes() -> bool:
    """Can this kernel keep processes from abstract Unix sockets?"""
    version: int = _libc().syscall(_CREATE_RULESET, None, 0, _GET_VERSION)
    return version >= _FIRST_WITH_SCOPES


def _give_up() -> None:
    if not has_scopes():
        logger.warning("this kernel cannot hide abstract Unix sockets from confined agents")
        return
    libc = _libc()
    rules = _Ruleset(scoped=_ABSTRACT_UNIX_SOCKETS)
    descriptor = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    try:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if descriptor < 0 or libc.syscall(_RESTRICT_SELF, descriptor, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot hide abstract Unix sockets")
    finally:
        if descriptor >= 0:
            os.close(descriptor)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
