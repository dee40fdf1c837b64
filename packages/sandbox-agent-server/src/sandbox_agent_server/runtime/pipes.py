"""What the pipes of a process have in common."""

from __future__ import annotations

import array
import fcntl
import termios

__all__ = ["bytes_in"]


def bytes_in(descriptor: int) -> int:
    """How much a pipe holds now."""
    answer = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, answer)
    return answer[0]
