"""Modes: Codex's approval policy, sandbox and collaboration mode under one name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox_agent_core.lenient import as_dict, as_list, as_text

from sandbox_agent_server.agents.native.translator import Native

__all__ = ["CUSTOM", "DEFAULT", "MODES", "Mode", "collaboration", "name_of", "sandbox_policy"]

DEFAULT: Final = "untrusted"
CUSTOM: Final = "custom"
"""What `config.toml` says, when that is none of ours."""

_POLICIES: Final[Mapping[str, str]] = {
    "read-only": "readOnly",
    "workspace-write": "workspaceWrite",
    "danger-full-access": "dangerFullAccess",
}


@dataclass(frozen=True, slots=True)
class Mode:
    name: str
    description: str
    approval_policy: str
    sandbox: str
    """By the name that `thread/start` takes."""
    plans: bool = False


# Named after Codex's presets (read-only, auto, full-access) and its words (untrusted, plan).
MODES: Final[Mapping[str, Mode]] = {
    "untrusted": Mode(
        "Ask",
        "Ask before every command and edit",
        "untrusted",
        "workspace-write",
    ),
    "auto": Mode(
        "Auto",
        "Edit and run commands in the workspace, ask before leaving its sandbox",
        "on-request",
        "workspace-write",
    ),
    "read-only": Mode("Read only", "Read, ask before anything else", "on-request", "read-only"),
    "plan": Mode(
        "Plan", "Read, ask questions and propose a plan", "on-request", "read-only", plans=True
    ),
    "full-access": Mode("Full access", "No sandbox, ask nothing", "never", "danger-full-access"),
}


def sandbox_policy(mode: Mode, workspace: Any, directories: Sequence[str]) -> Native:
    """`sandboxPolicy` of a mode. `workspace` is `[sandbox_workspace_write]` of the configuration."""
    kind = _POLICIES[mode.sandbox]
    if kind == "dangerFullAccess":
        return {"type": kind}
    if kind == "readOnly":
        return {"type": kind, "networkAccess": False}
    given = as_dict(workspace)
    return {
        "type": kind,
        "writableRoots": [*as_list(given.get("writable_roots")), *directories],
        "networkAccess": given.get("network_access") is True,
        "excludeTmpdirEnvVar": given.get("exclude_tmpdir_env_var") is True,
        "excludeSlashTmp": given.get("exclude_slash_tmp") is True,
    }


def collaboration(*, plans: bool, model: str, effort: str | None) -> Native:
    """`collaborationMode`, which states model and effort, too. Without instructions: Codex's own."""
    settings = {"model": model, "reasoning_effort": effort, "developer_instructions": None}
    return {"mode": "plan" if plans else "default", "settings": settings}


def name_of(settings: Native, *, plans_anyway: bool = False) -> str:
    """The mode that a thread is in, from the answer to `thread/start` or from its settings.

    `plans_anyway`: that it plans says nothing of the mode.
    """
    policy = settings.get("sandboxPolicy", settings.get("sandbox"))
    kind = as_text(as_dict(policy).get("type"))
    plans = as_dict(settings.get("collaborationMode")).get("mode") == "plan"
    names = [
        name
        for name, mode in MODES.items()
        if mode.approval_policy == settings.get("approvalPolicy")
        and _POLICIES[mode.sandbox] == kind
        and (mode.plans == plans or plans_anyway)
    ]
    return names[0] if names else CUSTOM
