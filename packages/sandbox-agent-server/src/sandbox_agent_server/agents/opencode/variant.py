"""What differs between OpenCode and the forks that kept its server."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KILO", "OPENCODE", "Variant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    name: str
    """Of the agent, its program, its directories and its own model provider."""
    title: str
    package: str
    """On npm."""
    default_agent: str
    """The one that works on its own; `plan` is the other."""
    files: tuple[str, ...]
    """Of its settings in a workspace, without the ending."""
    folders: tuple[str, ...]
    """Of its settings, agents, commands and plugins there."""
    runs_unread_plugins: bool
    """Also when it is told not to read the settings of a workspace."""

    @property
    def prefix(self) -> str:
        """Of its variables."""
        return f"{self.name.upper()}_"

    @property
    def extension(self) -> str:
        """Prefix of the notifications for what ACP has no word for."""
        return f"_{self.name}/"

    @property
    def install_hint(self) -> str:
        return f"Run `sandbox-agent-server install-agent {self.name}`, or `npm install -g {self.package}`."

    @property
    def login_hint(self) -> str:
        return (
            "Set the key of a provider (ANTHROPIC_API_KEY, OPENAI_API_KEY, …), "
            f"or run `{self.name} auth login`."
        )


OPENCODE = Variant(
    name="opencode",
    title="OpenCode",
    package="opencode-ai",
    default_agent="build",
    files=("opencode",),
    folders=(".opencode",),
    runs_unread_plugins=True,
)
KILO = Variant(
    name="kilo",
    title="Kilo",
    package="@kilocode/cli",
    default_agent="code",
    files=("kilo", "opencode"),
    folders=(".kilo", ".kilocode", ".opencode"),
    runs_unread_plugins=False,
)
