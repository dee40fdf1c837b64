"""Words of somebody else inside of a Markdown document of ours: they become no heading, markup or picture of it."""

from __future__ import annotations

import re
from typing import Final

from sandbox_agent_core.redact import mask
from sandbox_agent_core.surrogates import whole

__all__ = ["code_span", "embedded", "fenced", "inline", "quoted"]

_SEQUENCES: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[@-Z\\^_])"
)
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>#|~!@&])")
_FENCE: Final = re.compile(r"^(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*(`{3,}|~{3,})(.*)$")
_HEADING: Final = re.compile(r"^( {0,3})(#{1,6})(?=[ \t]|$)")
_UNDERLINE: Final = re.compile(r"^ {0,3}(?:=+|-+)[ \t]*$")
_CODE: Final = re.compile(r"(?<!`)(`+)(?!`)(?:.*?)(?<!`)\1(?!`)")
_TAG: Final = re.compile(r"<(?=[a-z/!?])(?!(?:https?|mailto):)", re.I)
_DEEPER: Final = 2
"""Headings of a message are below those of the document."""


def inline(text: str) -> str:
    """A line of words, without markup, mentions or references."""
    return _MARKUP.sub(r"\\\1", _line(text))


def code_span(text: str) -> str:
    """A name or a command; nothing of nothing."""
    line = _line(text)
    if not line:
        return ""
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def fenced(text: str, language: str = "") -> str:
    """A block of code. Its fence is longer than what is in it."""
    shown = _shown(_SEQUENCES.sub("", text)).rstrip("\n")
    longest = max((len(run) for run in re.findall("`{3,}", shown)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{shown}\n{fence}" if shown else f"{fence}{language}\n{fence}"


def embedded(text: str) -> str:
    """Markdown, with its HTML as text, its pictures as links, which a forge would load, and its fences closed."""
    out: list[str] = []
    open_fence: str | None = None
    for line in _shown(text).split("\n"):
        found = _FENCE.match(line)
        if open_fence is not None:
            if found and found[1].startswith(open_fence) and not found[2].strip():
                open_fence = None
            out.append(line)
        elif found:
            open_fence = found[1]
            out.append(line)
        else:
            out.append(_tamed(line, out[-1] if out else ""))
    if open_fence is not None:
        out.append(open_fence)
    return "\n".join(out).strip()


def quoted(text: str) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))


def _tamed(line: str, before: str) -> str:
    if _UNDERLINE.match(line) and before.strip():
        # It would make a heading of the line above.
        return re.sub("[=-]", r"\\\g<0>", line, count=1)
    if heading := _HEADING.match(line):
        depth = min(6, len(heading[2]) + _DEEPER)
        line = heading[1] + "#" * depth + line[heading.end() :]
    out, end = [], 0
    for code in _CODE.finditer(line):
        out += [_without_html(line[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*out, _without_html(line[end:])])


def _without_html(text: str) -> str:
    return _TAG.sub(r"\\<", text).replace("![", "\\![")


def _line(text: str) -> str:
    return _shown(" ".join(text.split()))


def _shown(text: str) -> str:
    """Without secrets, and with what cannot be seen, or turns the direction of reading, written out."""
    lines = whole(text).replace("\r\n", "\n").replace("\r", "\n")
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", mask(lines))
