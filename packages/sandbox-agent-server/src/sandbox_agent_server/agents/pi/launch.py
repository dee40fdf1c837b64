"""Finding Pi and starting it: command line, environment, our extensions, the file of a resumed session."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbox_agent_core.agent_options import PiOptions
from sandbox_agent_core.errors import AgentStartFailed
from sandbox_agent_core.spi.agent import AgentInstallation

from sandbox_agent_server.agents.installation import find_program, installed_version

__all__ = [
    "ENV_NAMES",
    "INSTALL_HINT",
    "PACKAGES",
    "can_clear_queue",
    "check_node",
    "command_line",
    "environment",
    "find",
    "says_settled",
    "session_argument",
    "tells_entries",
]

INSTALL_HINT: Final = (
    "Run `sandbox-agent-server install-agent pi`, or `npm install -g @earendil-works/pi-coding-agent`, "
    "which needs Node.js 22.19 or later."
)

ENV_NAMES: Final = (
    "AI_GATEWAY_API_KEY",
    "ANTHROPIC_*",
    "AWS_*",
    "AZURE_OPENAI_*",
    "CEREBRAS_API_KEY",
    "CLOUDFLARE_*",
    "COPILOT_GITHUB_TOKEN",
    "DEEPSEEK_API_KEY",
    "FIREWORKS_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_*",
    "GROQ_API_KEY",
    "HF_TOKEN",
    "KIMI_API_KEY",
    "MINIMAX_*",
    "MISTRAL_API_KEY",
    "MOONSHOT_API_KEY",
    "OPENAI_*",
    "OPENCODE_API_KEY",
    "OPENROUTER_API_KEY",
    "TOGETHER_API_KEY",
    "XAI_API_KEY",
    "XIAOMI_*",
    "ZAI_API_KEY",
    # Not PI_*: a server that was itself started by Pi has PI_SESSION_FILE and the like.
    "PI_CACHE_RETENTION",
    "PI_CODING_AGENT_DIR",
    "PI_CODING_AGENT_SESSION_DIR",
    "PI_OFFLINE",
    "PI_PACKAGE_DIR",
    "PI_SKIP_VERSION_CHECK",
    "PI_TELEMETRY",
)

PACKAGES: Final = ("*/pi-coding-agent",)
_PROGRAM: Final = "pi"
NO_OPTIONS: Final = PiOptions()
_ASKS_FOR_TRUST: Final = (0, 79, 0)
_SAYS_SETTLED: Final = (0, 80, 6)
_TELLS_ENTRIES: Final = (0, 80, 3)
_CLEARS_QUEUE: Final = (0, 84, 4)
_EXTENSIONS: Final = Path(__file__).parent / "extensions"
_OURS: Final = ("permission_gate.ts", "base_urls.ts", "rewind.ts")
_SHEBANG_BYTES: Final = 256


def find(env: Mapping[str, str]) -> AgentInstallation | None:
    found = find_program(_PROGRAM, env)
    if found is None:
        return None
    version = installed_version(found.path, *PACKAGES)
    # There is another program of this name, which computes digits of the number.
    if version is None and not _first_line(found.path).startswith(b"#!"):
        return None
    return AgentInstallation(path=found.path, version=version)


def says_settled(version: str | None) -> bool:
    """Whether this version tells when nothing more comes of a prompt."""
    return _is_at_least(version, _SAYS_SETTLED)


def asks_for_trust(version: str | None) -> bool:
    """Whether what a workspace brings along runs only when Pi is told that it is trusted."""
    return _is_at_least(version, _ASKS_FOR_TRUST)


def tells_entries(version: str | None) -> bool:
    """Whether it lists all of a session, and not only what it can be forked at."""
    return _is_at_least(version, _TELLS_ENTRIES)


def can_clear_queue(version: str | None) -> bool:
    """Whether what was said into a turn can be taken back: else an aborted turn leaves it to a later one."""
    return _is_at_least(version, _CLEARS_QUEUE)


def _is_at_least(version: str | None, least: tuple[int, int, int]) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", version or "")
    return numbers is not None and tuple(map(int, numbers.groups())) >= least


def check_node(command: Sequence[str], env: Mapping[str, str]) -> None:
    """Raises: AgentStartFailed when the program is a script for Node.js and there is no `node`."""
    program = find_program(command[0], env)
    if program is None or b"node" not in _first_line(program.path):
        return
    if shutil.which("node", path=env.get("PATH") or "") is None:
        raise AgentStartFailed(
            f"Pi ({program.path}) needs Node.js, and there is no `node` on its PATH. "
            "Install Node.js 22.19 or later, or set PATH in `[agents.pi] env`.",
            missing="node",
        )


def command_line(
    command: Sequence[str],
    *,
    session: Sequence[str] = (),
    system_prompt: Path | None,
    own_system_prompt: Path | None = None,
    options: PiOptions = NO_OPTIONS,
    is_trusted: bool = False,
    skills: Path | None = None,
    extra: Sequence[str] = (),
) -> list[str]:
    """`session`: the flag and the argument of one to go on with. `own_system_prompt`: instead of Pi's. `is_trusted`:
    for a version that asks."""
    argv = [*command, "--mode", "rpc", *(["--approve"] if is_trusted else [])]
    for path in (*(str(_EXTENSIONS / name) for name in _OURS), *(options.extensions or ())):
        argv += ["--extension", path]
    if skills is not None:
        argv += ["--skill", str(skills / "skills")]
    argv += session
    if own_system_prompt is not None:
        argv += ["--system-prompt", str(own_system_prompt)]
    if system_prompt is not None:
        argv += ["--append-system-prompt", str(system_prompt)]
    if options.tools is not None:
        argv += ["--tools", ",".join(options.tools)]
    switches = {
        "--no-context-files": options.context_files,
        "--no-skills": options.skills,
        "--no-prompt-templates": options.prompt_templates,
    }
    return [*argv, *(flag for flag, is_on in switches.items() if is_on is False), *extra]


def environment(env: Mapping[str, str], *, has_hooks: bool = False) -> dict[str, str]:
    """No updates, no look-ups of versions, no telemetry: nobody asked for them in a sandbox."""
    quiet = {"PI_OFFLINE": "1", "PI_SKIP_VERSION_CHECK": "1", "PI_TELEMETRY": "0"}
    return {**quiet, **env, **({"SANDBOX_AGENT_HOOKS": "1"} if has_hooks else {})}


def session_argument(session_id: str, env: Mapping[str, str]) -> str:
    """The session's file, else its id: with that Pi reads every session of the directory to find it."""
    home = Path(env.get("PI_CODING_AGENT_DIR") or Path(env.get("HOME") or "~", ".pi", "agent"))
    directory = env.get("PI_CODING_AGENT_SESSION_DIR")
    roots = [Path(directory)] if directory else [home / "sessions"]
    for root in roots:
        for pattern in (f"*/*_{session_id}.jsonl", f"*_{session_id}.jsonl"):
            for path in root.expanduser().glob(pattern):
                return str(path)
    return session_id


def _first_line(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            start = file.read(_SHEBANG_BYTES)
    except OSError:
        return b""
    return start.partition(b"\n")[0] if start.startswith(b"#!") else b""
