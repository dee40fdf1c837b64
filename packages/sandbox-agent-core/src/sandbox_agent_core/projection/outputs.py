"""What a command came to, in one shape, out of those that agents have for it."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_int, as_list, as_str, compact
from sandbox_agent_core.projection.parts import Wire

__all__ = ["command_output", "exit_code"]

_STDOUT: Final = ("stdout", "output", "aggregated_output", "content")
_MS_PER_S: Final = 1000
_NS_PER_MS: Final = 1_000_000


def command_output(output: Any, code: int | None) -> Any:
    """`{stdout?, stderr?, exitCode?, durationMs?}`; what tells nothing of the kind stays as it is.

    Agents that do not tell the two streams apart have all of it in `stdout`.
    """
    if isinstance(output, str):
        return compact(stdout=output, exitCode=code)
    raw = as_dict(output)
    told = compact(
        stdout=next((text for key in _STDOUT if (text := as_str(raw.get(key))) is not None), None),
        stderr=as_str(raw.get("stderr")),
        exitCode=code,
        durationMs=_duration_ms(raw),
    )
    return told or output


def exit_code(update: Wire, meta: Wire, output: Any) -> int | None:
    """ACP has no exit code. Where agents put it (see the transcripts of the tests):

    `_meta.terminal_exit.exit_code` (codex-acp, pi-acp), `rawOutput.exit_code` (Zed's codex-acp),
    `rawOutput.metadata.exit` (opencode), `rawOutput.contents[].exitCode` (copilot).
    """
    raw = as_dict(output)
    candidates = [
        update.get("exitCode"),
        as_dict(meta.get("terminal_exit")).get("exit_code"),
        raw.get("exit_code"),
        raw.get("exitCode"),
        as_dict(raw.get("metadata")).get("exit"),
        *(as_dict(item).get("exitCode") for item in as_list(raw.get("contents"))),
    ]
    return next((code for item in candidates if (code := as_int(item)) is not None), None)


def _duration_ms(raw: Wire) -> int | None:
    for key in ("durationMs", "duration_ms"):
        if (told := as_int(raw.get(key))) is not None:
            return told
    duration = as_dict(raw.get("duration"))
    seconds, nanos = as_int(duration.get("secs")), as_int(duration.get("nanos"))
    return None if seconds is None else seconds * _MS_PER_S + (nanos or 0) // _NS_PER_MS
