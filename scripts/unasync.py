"""Writes the synchronous client from the asynchronous one, by a table of words.

    python scripts/unasync.py            write packages/sandbox-agent-client/.../_sync
    python scripts/unasync.py --check    exit 1 when that would change a file

What cannot be translated word by word is in the two `_backend.py`, which are written by hand.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parents[1] / "packages/sandbox-agent-client/src/sandbox_agent_client"
SOURCE = CLIENT / "_async"
TARGET = CLIENT / "_sync"
BY_HAND = {"__init__.py", "_backend.py"}
HEADER = "# Generated from `_async/{name}` by `scripts/unasync.py`: do not edit.\n"

# In this order. Each must match somewhere, so that the table holds nothing that is not needed.
WORDS: list[tuple[str, str]] = [
    (r"\bawait ", ""),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\b_async\b", "_sync"),
    (r"\bSandboxAgent\b", "SandboxAgentSync"),
    (r"\bSandboxPool\b", "SandboxPoolSync"),
    (r"(?<!\.)\bSession\b(?! )", "SessionSync"),
    (r"(?<!\.)\bSandbox\b(?! [a-z])", "SandboxSync"),
    (r"(?<!\.)\bTurn\b(?! [a-z])", "TurnSync"),
    (r"\b(Process|Processes|Terminal|Terminals|Ports)\b(?! [a-z])", r"\1Sync"),
    (r"\b(FileReader|Files|Git)\b(?! [a-z])", r"\1Sync"),
    (r"\b(PermissionRequest|QuestionRequest|BeforeTool|AfterTool|HostToolCall)\b", r"\1Sync"),
    (r"\bAsyncClient\b", "Client"),
    (r"\bAsyncGenerator\[(.+?), None\]", r"Generator[\1, None, None]"),
    (r"\bAsyncGenerator\b", "Generator"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\bAwaitable\[object\] \| object\b", "object"),
    (r"\bCoroutine\[Any, Any, (.+?)\]\]", r"\1]"),
    (r"-> Coroutine\[Any, Any, (\w+)\]", r"-> \1"),
    (r"\bAwaitableContext\[(\w+)\]", r"\1"),
    (r"\bAwaitableContext\b(?=\()", "open_now"),
    (r"\bAwaitableContext\b", "open_now"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\bAsyncExitStack\b", "ExitStack"),
    (r"\benter_async_context\b", "enter_context"),
    (r"\baclosing\b", "closing"),
    (r"\baclose\b", "close"),
    (r"\baread\b", "read"),
    (r"\baiter_bytes\b", "iter_bytes"),
    (r"\b__aenter__\b", "__enter__"),
    (r"\b__aexit__\b", "__exit__"),
    (r"\b__aiter__\b", "__iter__"),
    (r"\bEventStream\b", "EventStreamSync"),
]
# Imports that have nothing left to name.
LEFTOVERS = re.compile(r"^from collections\.abc import .*$", re.MULTILINE)
DROPPED_NAMES = ("Awaitable", "Coroutine")


def translate(text: str, used: set[str]) -> str:
    for pattern, replacement in WORDS:
        text, count = re.subn(pattern, replacement, text)
        if count:
            used.add(pattern)
    return LEFTOVERS.sub(lambda found: _without_unused(found[0], text), text)


def _without_unused(line: str, text: str) -> str:
    head, _, names = line.partition(" import ")
    kept = {name for name in names.split(", ") if len(re.findall(rf"\b{name}\b", text)) > 1}
    return f"{head} import {', '.join(sorted(kept - set(DROPPED_NAMES)))}"


def generate() -> dict[str, str]:
    """The text of every generated file, by name.

    Raises:
        SystemExit: a line of the table is not needed any more.
    """
    used: set[str] = set()
    files = {
        source.name: HEADER.format(name=source.name)
        + translate(source.read_text(encoding="utf-8"), used)
        for source in sorted(SOURCE.glob("*.py"))
        if source.name not in BY_HAND
    }
    unused = [pattern for pattern, _ in WORDS if pattern not in used]
    if unused:
        raise SystemExit(f"these patterns match nothing, remove them: {unused}")
    return {name: tidy(name, text) for name, text in files.items()}


def tidy(name: str, text: str) -> str:
    """Sorted and formatted as the rest of the house."""
    for command in (["check", "--select", "I", "--fix-only", "--quiet"], ["format", "--quiet"]):
        done = subprocess.run(
            [_ruff(), *command, "--stdin-filename", str(TARGET / name), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
    return text


def _ruff() -> str:
    beside = Path(sys.executable).parent / "ruff"
    found = str(beside) if beside.is_file() else shutil.which("ruff")
    if found is None:
        raise SystemExit("ruff is not installed")
    return found


def main() -> int:
    files = generate()
    stale = [
        name
        for name, text in files.items()
        if not (TARGET / name).is_file() or (TARGET / name).read_text(encoding="utf-8") != text
    ]
    left = [
        path.name
        for path in TARGET.glob("*.py")
        if path.name not in BY_HAND and path.name not in files
    ]
    if "--check" in sys.argv[1:]:
        for name in [*stale, *left]:
            print(f"{TARGET / name} is not what scripts/unasync.py writes")
        return 1 if stale or left else 0
    for name in stale:
        (TARGET / name).write_text(files[name], encoding="utf-8")
    for name in left:
        (TARGET / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
