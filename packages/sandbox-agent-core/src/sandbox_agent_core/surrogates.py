"""Half characters: JavaScript cuts text wherever it likes, also in the middle of an emoji.

JSON carries such a half (`\\ud83e`), UTF-8 cannot, so text that holds one can be neither printed nor written
nor sent. The frames keep it; what is made of them for people is mended here.
"""

from __future__ import annotations

from typing import Any, TypeVar

__all__ = ["has_halves", "mended", "split_half", "whole"]

T = TypeVar("T")


def whole(text: str) -> str:
    """Neighbouring halves are joined to the character that they are; one that is alone becomes U+FFFD."""
    if text.isascii() or not _is_broken(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def split_half(text: str) -> tuple[str, str]:
    """The text without the first half of a character at its end, and that half (or nothing)."""
    return (text[:-1], text[-1]) if "\ud800" <= text[-1:] <= "\udbff" else (text, "")


def has_halves(value: Any) -> bool:
    """True when a text anywhere in this JSON value cannot be encoded."""
    # No recursion: agents nest as deep as they like.
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if not item.isascii() and _is_broken(item):
                return True
        elif isinstance(item, dict):
            waiting += item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return False


def mended(value: T) -> T:
    """The JSON value with every text `whole`; the very same object when there is nothing to mend."""
    if not has_halves(value):
        return value
    root: list[Any] = [value]
    waiting: list[Any] = [root]
    while waiting:
        copy = waiting.pop()
        for key, item in list(copy.items() if isinstance(copy, dict) else enumerate(copy)):
            if isinstance(item, str):
                copy[key] = whole(item)
            elif isinstance(item, dict):
                copy[key] = {_key(name): inner for name, inner in item.items()}
                waiting.append(copy[key])
            elif isinstance(item, list):
                copy[key] = list(item)
                waiting.append(copy[key])
    mended_value: T = root[0]
    return mended_value


def _key(name: Any) -> Any:
    return whole(name) if isinstance(name, str) else name


def _is_broken(text: str) -> bool:
    """For text that is not ASCII, which is a look at a flag and mostly enough."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
