"""Where each agent's credentials are: the table that everything about credentials is read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sandbox_agent_core.credentials import login_files as read
from sandbox_agent_core.credentials.login_files import ReadLogin
from sandbox_agent_core.credentials.model import CredentialKind

__all__ = ["CREDENTIAL_SOURCES", "AgentSources", "FileSource", "Folder", "Variable"]


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    provider: str
    kind: CredentialKind = "api_key"


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory of HOME, unless a variable names another."""

    default: str
    variable: str | None = None
    inside: str = ""
    """Below the directory that the variable names, which `default` has already."""


@dataclass(frozen=True, slots=True)
class FileSource:
    folder: Folder
    name: str
    read: ReadLogin


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSources:
    """In order of precedence: variables first, then its login files, then what others stored."""

    variables: tuple[Variable, ...]
    files: tuple[FileSource, ...] = ()
    aliases: tuple[Variable, ...] = ()
    """Variables that the agent does not read itself, but people set for it."""
    carried_by: Mapping[tuple[str, CredentialKind], tuple[str, ...]] = field(default_factory=dict)
    """`(provider, kind)` -> the variables that give the agent such a credential elsewhere."""
    addresses: tuple[str, ...] = ()
    """Variables that say where keys of the environment are valid: a gateway's key needs its URL."""


_HOME: Final = Folder("")
_DATA: Final = ".local/share"
_CLAUDE: Final = Folder(".claude", "CLAUDE_CONFIG_DIR")
_GH: Final = Folder(".config/gh", "GH_CONFIG_DIR")

# Keys of providers by the name that agents with many providers share.
_PROVIDER_KEYS: Final = (
    Variable("ANTHROPIC_API_KEY", "anthropic"),
    Variable("OPENAI_API_KEY", "openai"),
    Variable("GEMINI_API_KEY", "google"),
    Variable("OPENROUTER_API_KEY", "openrouter"),
    Variable("GROQ_API_KEY", "groq"),
    Variable("MISTRAL_API_KEY", "mistral"),
    Variable("XAI_API_KEY", "xai"),
    Variable("DEEPSEEK_API_KEY", "deepseek"),
    Variable("CEREBRAS_API_KEY", "cerebras"),
    Variable("OPENCODE_API_KEY", "opencode"),
    Variable("ZAI_API_KEY", "zai"),
)
_ADDRESSES: Final = ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "GOOGLE_GEMINI_BASE_URL")


def _carried(
    variables: tuple[Variable, ...],
    *,
    also: Mapping[tuple[str, CredentialKind], tuple[str, ...]] | None = None,
) -> dict[tuple[str, CredentialKind], tuple[str, ...]]:
    carried: dict[tuple[str, CredentialKind], tuple[str, ...]] = {}
    for variable in variables:
        carried.setdefault((variable.provider, variable.kind), (variable.name,))
    return carried | dict(also or {})


_CLAUDE_VARIABLES: Final = (
    # In Claude Code's own order.
    Variable("ANTHROPIC_AUTH_TOKEN", "anthropic"),
    Variable("ANTHROPIC_API_KEY", "anthropic"),
    Variable("CLAUDE_CODE_OAUTH_TOKEN", "anthropic", "oauth"),
)
_CODEX_VARIABLES: Final = (
    Variable("CODEX_API_KEY", "openai"),
    Variable("CODEX_ACCESS_TOKEN", "openai", "oauth"),
    Variable("OPENAI_API_KEY", "openai"),
)
_PI_VARIABLES: Final = (Variable("ANTHROPIC_OAUTH_TOKEN", "anthropic", "oauth"), *_PROVIDER_KEYS)
_KILO_VARIABLES: Final = (Variable("KILO_API_KEY", "kilo"), *_PROVIDER_KEYS)
_GITHUB_VARIABLES: Final = (
    Variable("COPILOT_GITHUB_TOKEN", "github"),
    Variable("GH_TOKEN", "github"),
    Variable("GITHUB_TOKEN", "github"),
    Variable("COPILOT_PROVIDER_API_KEY", "custom"),
)
_GEMINI_VARIABLES: Final = (
    Variable("GEMINI_API_KEY", "google"),
    Variable("GOOGLE_API_KEY", "google"),
)
_QWEN_VARIABLES: Final = (
    Variable("OPENAI_API_KEY", "openai"),
    Variable("DASHSCOPE_API_KEY", "alibaba"),
)
_AMP_VARIABLES: Final = (Variable("AMP_API_KEY", "amp"),)
_CURSOR_VARIABLES: Final = (Variable("CURSOR_API_KEY", "cursor"),)
_AUGGIE_VARIABLES: Final = (Variable("AUGMENT_SESSION_AUTH", "augment", "oauth"),)
_CLINE_VARIABLES: Final = (Variable("CLINE_API_KEY", "cline"),)
_DROID_VARIABLES: Final = (Variable("FACTORY_API_KEY", "factory"),)
_GROK_VARIABLES: Final = (Variable("XAI_API_KEY", "xai"),)
_KIMI_VARIABLES: Final = (Variable("KIMI_MODEL_API_KEY", "moonshot"),)
_QODER_VARIABLES: Final = (Variable("QODER_PERSONAL_ACCESS_TOKEN", "qoder"),)
_VIBE_VARIABLES: Final = (Variable("MISTRAL_API_KEY", "mistral"),)

CREDENTIAL_SOURCES: Final[Mapping[str, AgentSources]] = {
    "amp": AgentSources(
        variables=_AMP_VARIABLES,
        files=(
            FileSource(Folder(f"{_DATA}/amp", "AMP_HOME"), "secrets.json", read.read_amp),
            FileSource(
                Folder(f"{_DATA}/amp", "XDG_DATA_HOME", "amp"), "secrets.json", read.read_amp
            ),
            FileSource(Folder(".amp"), "config.json", read.read_amp),
        ),
        carried_by=_carried(_AMP_VARIABLES),
        addresses=("AMP_URL",),
    ),
    "auggie": AgentSources(variables=_AUGGIE_VARIABLES, carried_by=_carried(_AUGGIE_VARIABLES)),
    "claude": AgentSources(
        variables=_CLAUDE_VARIABLES,
        files=(
            FileSource(_CLAUDE, ".credentials.json", read.read_claude_oauth),
            FileSource(Folder("", "CLAUDE_CONFIG_DIR"), ".claude.json", read.read_claude_settings),
            FileSource(_HOME, ".claude.json.api", read.read_claude_settings),
            FileSource(_HOME, ".claude-oauth-credentials.json", read.read_claude_oauth),
        ),
        aliases=(Variable("CLAUDE_API_KEY", "anthropic"),),
        carried_by=_carried(
            _CLAUDE_VARIABLES, also={("anthropic", "api_key"): ("ANTHROPIC_API_KEY",)}
        ),
        addresses=("ANTHROPIC_BASE_URL",),
    ),
    "cline": AgentSources(variables=_CLINE_VARIABLES, carried_by=_carried(_CLINE_VARIABLES)),
    "codex": AgentSources(
        variables=_CODEX_VARIABLES,
        files=(FileSource(Folder(".codex", "CODEX_HOME"), "auth.json", read.read_codex),),
        # Which of them is read depends on how Codex is run. The login of ChatGPT has no variable.
        carried_by={("openai", "api_key"): ("CODEX_API_KEY", "OPENAI_API_KEY")},
        addresses=("OPENAI_BASE_URL",),
    ),
    "copilot": AgentSources(
        variables=_GITHUB_VARIABLES,
        files=(
            FileSource(Folder(".copilot", "COPILOT_HOME"), "config.json", read.read_copilot),
            FileSource(_GH, "hosts.yml", read.read_gh_hosts),
        ),
        carried_by=_carried(_GITHUB_VARIABLES),
        addresses=("COPILOT_PROVIDER_BASE_URL", "COPILOT_PROVIDER_TYPE", "COPILOT_MODEL"),
    ),
    "cursor": AgentSources(
        variables=_CURSOR_VARIABLES,
        files=(
            FileSource(
                Folder(".config/cursor", "XDG_CONFIG_HOME", "cursor"), "auth.json", read.read_cursor
            ),
            FileSource(Folder(".cursor"), "auth.json", read.read_cursor),
        ),
        carried_by=_carried(_CURSOR_VARIABLES),
    ),
    "droid": AgentSources(variables=_DROID_VARIABLES, carried_by=_carried(_DROID_VARIABLES)),
    "fast-agent": AgentSources(
        variables=_PROVIDER_KEYS, carried_by=_carried(_PROVIDER_KEYS), addresses=_ADDRESSES
    ),
    "gemini": AgentSources(
        variables=_GEMINI_VARIABLES,
        files=(
            FileSource(Folder(".gemini"), ".env", read.read_dotenv),
            FileSource(Folder(".gemini"), "oauth_creds.json", read.read_google_oauth),
        ),
        carried_by=_carried(_GEMINI_VARIABLES),
        addresses=("GOOGLE_GEMINI_BASE_URL",),
    ),
    "grok": AgentSources(
        variables=_GROK_VARIABLES,
        carried_by=_carried(_GROK_VARIABLES),
        addresses=("GROK_XAI_API_BASE_URL", "GROK_MODELS_BASE_URL"),
    ),
    "kilo": AgentSources(
        variables=_KILO_VARIABLES,
        files=(
            FileSource(
                Folder(f"{_DATA}/kilo", "XDG_DATA_HOME", "kilo"),
                "auth.json",
                read.read_provider_map,
            ),
        ),
        carried_by=_carried(_KILO_VARIABLES),
        addresses=_ADDRESSES,
    ),
    "kimi": AgentSources(
        variables=_KIMI_VARIABLES,
        carried_by=_carried(_KIMI_VARIABLES),
        addresses=("KIMI_MODEL_BASE_URL", "KIMI_MODEL_NAME"),
    ),
    "opencode": AgentSources(
        variables=_PROVIDER_KEYS,
        files=(
            FileSource(
                Folder(f"{_DATA}/opencode", "XDG_DATA_HOME", "opencode"),
                "auth.json",
                read.read_provider_map,
            ),
        ),
        carried_by=_carried(_PROVIDER_KEYS),
        addresses=_ADDRESSES,
    ),
    "pi": AgentSources(
        variables=_PI_VARIABLES,
        files=(
            FileSource(
                Folder(".pi/agent", "PI_CODING_AGENT_DIR"), "auth.json", read.read_provider_map
            ),
        ),
        carried_by=_carried(_PI_VARIABLES),
        addresses=_ADDRESSES,
    ),
    "qoder": AgentSources(variables=_QODER_VARIABLES, carried_by=_carried(_QODER_VARIABLES)),
    "qwen": AgentSources(
        variables=_QWEN_VARIABLES,
        files=(
            FileSource(Folder(".qwen"), ".env", read.read_dotenv),
            FileSource(Folder(".qwen"), "oauth_creds.json", read.read_qwen_oauth),
        ),
        carried_by=_carried(_QWEN_VARIABLES),
        addresses=("OPENAI_BASE_URL", "OPENAI_MODEL"),
    ),
    "vibe": AgentSources(variables=_VIBE_VARIABLES, carried_by=_carried(_VIBE_VARIABLES)),
}
