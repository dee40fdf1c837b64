"""What git says when it fails, as errors of ours, without anybody's secrets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sandbox_agent_core.errors import GitAuthRequired, GitFailed, SandboxAgentError
from sandbox_agent_core.redact import mask

__all__ = ["git_failure"]

_MAX_WORDS: Final = 2000
_PROGRESS: Final = re.compile(r"^(remote: )?[A-Z][\w ]+: +\d+% \(\d+/\d+\)|^Cloning into ")
_WANTS_CREDENTIALS: Final = re.compile(
    r"could not read (Username|Password)|Authentication failed|terminal prompts disabled|"
    r"Permission denied \(publickey|returned error: 40[13]|HTTP Basic: Access denied|Invalid username or",
    re.I,
)
_ADVICE: Final = (
    (
        re.compile("Host key verification failed"),
        "the sandbox does not know the host: put its key into `~/.ssh/known_hosts` (`ssh-keyscan HOST`), or clone "
        "over https",
    ),
    (
        re.compile("Could not resolve host"),
        "the name of the host is not known: is it right, and does the sandbox reach the network?",
    ),
    (
        re.compile("Remote branch .* not found|couldn't find remote ref|not our ref"),
        "the repository has no such branch, tag or commit",
    ),
    (re.compile("No space left on device"), "the disk of the sandbox is full"),
)


def git_failure(
    args: Sequence[str],
    stderr: str,
    *,
    exit_code: int | None = None,
    secrets: Sequence[str] = (),
) -> SandboxAgentError:
    """The error that git's last words speak of."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", stderr)]
    told = "\n".join(line for line in lines if line and not _PROGRESS.search(line))
    words = mask(told, secrets=[one for one in secrets if one])[-_MAX_WORDS:]
    details = {"command": args[0] if args else "git", "exitCode": exit_code, "output": words}
    if _WANTS_CREDENTIALS.search(told):
        what = (
            "the remote repository refused the credentials: are they right, and may they read it?"
            if secrets
            else "the remote repository wants credentials: give `credentials` (a `token`, or `username` and "
            "`password`), or an SSH key that it knows"
        )
        return GitAuthRequired(f"{what} git said: {_last(words)}", **details)
    advice = next((text for shape, text in _ADVICE if shape.search(told)), None)
    said = _last(words) or f"it said nothing, and exited with {exit_code}"
    because = f" ({advice})" if advice else ""
    return GitFailed(f"`git {details['command']}` failed{because}: {said}", **details)


def _last(words: str) -> str:
    told = [line for line in words.split("\n") if line.startswith(("fatal:", "error:", "ERROR:"))]
    return " ".join(told[-2:] or words.split("\n")[-2:])
