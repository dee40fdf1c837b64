"""What each agent needs of a user's home when it sees nothing else of it.

Settings are read: what they name runs outside, too, when the user starts the agent by hand, so an agent
that is confined must not write them. Logins are written, in place: a token that was renewed and not
kept would end the user's login. What is both is copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple

from sandbox_agent_core.credentials import CREDENTIAL_SOURCES, Folder

__all__ = ["HomeFile", "folders_of", "home_files"]

How = Literal["read", "write", "copy"]


class HomeFile(NamedTuple):
    path: Path
    how: How


_CONFIG: Final = ".config"
_DATA: Final = ".local/share"
_CLAUDE: Final = Folder(".claude", "CLAUDE_CONFIG_DIR")
_CODEX: Final = Folder(".codex", "CODEX_HOME")
_PI: Final = Folder(".pi/agent", "PI_CODING_AGENT_DIR")
_GEMINI: Final = Folder(".gemini", "GEMINI_CLI_HOME", ".gemini")
_QWEN: Final = Folder(".qwen", "QWEN_HOME")

_EVERYBODY: Final = (
    (Folder(""), (".gitconfig",)),
    (Folder(f"{_CONFIG}/git", "XDG_CONFIG_HOME", "git"), ("config", "ignore", "attributes")),
)
_SETTINGS: Final[Mapping[str, tuple[tuple[Folder, tuple[str, ...]], ...]]] = {
    "amp": (
        (Folder(f"{_CONFIG}/amp", "XDG_CONFIG_HOME", "amp"), ("settings.json", "AGENTS.md")),
        (Folder(f"{_DATA}/amp", "XDG_DATA_HOME", "amp"), ()),
    ),
    "claude": (
        (
            _CLAUDE,
            (
                "settings.json", "settings.local.json", "CLAUDE.md", "agents", "commands", "skills", "hooks",
                "output-styles", "plugins", "rules",
            ),
        ),
    ),
    "codex": (
        (
            _CODEX,
            ("config.toml", "AGENTS.md", "AGENTS.override.md", "prompts", "skills", "rules"),
        ),
    ),
    "copilot": (
        (Folder(".copilot", "COPILOT_HOME"), ("mcp-config.json", "agents", "settings.json")),
    ),
    "cursor": (
        (Folder(".cursor"), ("cli-config.json", "mcp.json", "rules")),
        (Folder(f"{_CONFIG}/cursor", "XDG_CONFIG_HOME", "cursor"), ()),
    ),
    "gemini": (
        (
            _GEMINI,
            ("settings.json", "GEMINI.md", "commands", "extensions", "google_accounts.json"),
        ),
    ),
    "kilo": (
        (Folder(f"{_CONFIG}/kilo", "XDG_CONFIG_HOME", "kilo"), ("kilo.json", "opencode.json", "AGENTS.md")),
        (Folder(f"{_DATA}/kilo", "XDG_DATA_HOME", "kilo"), ()),
    ),
    "opencode": (
        (
            Folder(f"{_CONFIG}/opencode", "XDG_CONFIG_HOME", "opencode"),
            ("opencode.json", "opencode.jsonc", "AGENTS.md", "agent", "agents", "command", "commands"),
        ),
        (Folder(f"{_DATA}/opencode", "XDG_DATA_HOME", "opencode"), ()),
    ),
    "pi": (
        (_PI, ("settings.json", "models.json", "AGENTS.md", "SYSTEM.md", "prompts", "skills")),
    ),
    "qwen": ((_QWEN, ("settings.json", "QWEN.md", "commands", "extensions")),),
}  # fmt: skip
_NOT_IN_PLACE: Final[Mapping[str, How]] = {
    # More than a login: MCP programs of the user's, trust in projects.
    ".claude.json": "copy",
    "config.json": "copy",
    ".env": "read",
    "hosts.yml": "read",
}


def folders_of(agent: str, env: Mapping[str, str]) -> list[Path]:
    """Where it keeps what it remembers: it writes there, into a place of its session's own."""
    folders = [folder for folder, _ in _SETTINGS.get(agent, ())]
    return [path for folder in folders if (path := _resolved(folder, env)) is not None]


def home_files(agent: str, env: Mapping[str, str]) -> Iterator[HomeFile]:
    """Those that there are."""
    sources = CREDENTIAL_SOURCES.get(agent)
    wanted: list[tuple[Folder, str, How]] = [
        (folder, name, "read")
        for folder, names in (*_EVERYBODY, *_SETTINGS.get(agent, ()))
        for name in names
    ]
    wanted.extend(
        (file.folder, file.name, _NOT_IN_PLACE.get(file.name, "write"))
        for file in (sources.files if sources is not None else ())
    )
    for folder, name, how in wanted:
        directory = _resolved(folder, env)
        if directory is not None and (path := directory / name).exists():
            yield HomeFile(path, how)


def _resolved(folder: Folder, env: Mapping[str, str]) -> Path | None:
    if folder.variable is not None and (named := env.get(folder.variable)):
        return Path(named, folder.inside)
    home = env.get("HOME")
    return Path(home, folder.default) if home else None
