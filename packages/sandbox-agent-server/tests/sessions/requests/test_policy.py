"""Which permission mode allows and forbids what, and where the rules of a policy stand between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.api.policy import PermissionMode, PermissionPolicy, PermissionRule
from sandbox_agent_core.tool_facts import ToolFacts, facts_of
from sandbox_agent_server.sessions.requests.policy import decide

INSIDE: dict[str, Any] = {"kind": "edit", "locations": [{"path": "/w/src/a.py"}]}
OUTSIDE: dict[str, Any] = {"kind": "edit", "locations": [{"path": "/w/../etc/passwd"}]}
SHELL: dict[str, Any] = {"kind": "execute", "rawInput": {"command": "make"}}
READ: dict[str, Any] = {"kind": "read", "locations": [{"path": "/w/a"}]}
LEAVE: dict[str, Any] = {"kind": "switch_mode"}
TOOL: dict[str, Any] = {"kind": "other", "name": "mcp__db__query"}


@pytest.mark.parametrize(
    ("mode", "call", "expected"),
    [
        (None, INSIDE, "ask"),
        ("ask", INSIDE, "ask"),
        ("accept-edits", INSIDE, "allow"),
        ("accept-edits", OUTSIDE, "ask"),
        ("accept-edits", {**INSIDE, "kind": "read"}, "allow"),
        ("accept-edits", {**OUTSIDE, "kind": "read"}, "ask"),
        ("accept-edits", {"kind": "read", "locations": [{"path": "/w/.env"}]}, "ask"),
        ("accept-edits", {"kind": "read"}, "ask"),
        ("accept-edits", {**INSIDE, "kind": "delete"}, "ask"),
        ("accept-edits", {"kind": "edit"}, "ask"),
        ("accept-edits", {"kind": "edit", "locations": [{"path": "/w-not"}]}, "ask"),
        ("accept-edits", SHELL, "ask"),
        ("read-only", INSIDE, "deny"),
        ("read-only", SHELL, "deny"),
        ("read-only", {"kind": "delete"}, "deny"),
        ("read-only", {"kind": "move"}, "deny"),
        ("read-only", LEAVE, "deny"),
        ("read-only", READ, "ask"),
        ("read-only", {"kind": "search"}, "ask"),
        ("read-only", {"kind": "think"}, "ask"),
        ("read-only", TOOL, "deny"),
        ("read-only", {}, "deny"),
        ("read-only", {"kind": "Execute"}, "deny"),
        ("read-only", {"kind": "fetch"}, "deny"),
        ("read-only", {"kind": "read", "rawInput": {"command": "rm a"}}, "deny"),
        ("plan", TOOL, "deny"),
        ("plan", {}, "deny"),
        ("plan", {"kind": "fetch"}, "ask"),
        ("plan", INSIDE, "deny"),
        ("plan", SHELL, "deny"),
        ("plan", LEAVE, "ask"),
        ("bypass", SHELL, "allow"),
        ("bypass", OUTSIDE, "allow"),
        ("bypass", TOOL, "allow"),
    ],
)
def test_a_mode_decides(mode: PermissionMode | None, call: dict[str, Any], expected: str) -> None:
    decision = decide(PermissionPolicy(), call, cwd="/w", mode=mode)

    assert decision.action == expected
    assert decision.rule == ("default" if expected == "ask" else f"mode {mode}")


def test_a_rule_stands_above_what_a_mode_allows_and_below_what_it_forbids() -> None:
    no_make = PermissionPolicy(rules=[PermissionRule(action="deny", command="make")])
    yes_make = PermissionPolicy(rules=[PermissionRule(action="allow", command="make")])

    assert decide(no_make, SHELL, cwd="/w", mode="bypass").action == "deny"
    assert decide(yes_make, SHELL, cwd="/w", mode="read-only").action == "deny"


@pytest.mark.parametrize(
    "command",
    [
        ["git", "commit", "-m", "fix the test"],
        ["bash", "-lc", "make; make install"],
        "ls [ab]* | wc -l",
        "cat a?.py",
    ],
)
def test_a_rule_with_the_text_that_a_person_was_shown_matches(command: str | list[str]) -> None:
    call = {"kind": "execute", "rawInput": {"command": command}}
    shown = facts_of(call).command
    policy = PermissionPolicy(rules=[PermissionRule(action="allow", command=shown)])

    assert decide(policy, call, cwd="/w").action == "allow"


def test_a_glob_allows_nothing_that_a_shell_would_take_apart() -> None:
    policy = PermissionPolicy(rules=[PermissionRule(action="allow", command="git *")])
    for command in ("git status; rm -rf /", ["git", "commit", "-m", "a; b"]):
        call = {"kind": "execute", "rawInput": {"command": command}}
        assert decide(policy, call, cwd="/w").action == "ask"


def test_a_tool_is_matched_by_the_name_that_events_tell() -> None:
    call = {"kind": "other", "_meta": {"claudeCode": {"toolName": "WebFetch"}}}
    policy = PermissionPolicy(rules=[PermissionRule(action="deny", tool_name="Web*")])

    assert decide(policy, call, cwd="/w").action == "deny"


# What is not known


def one_rule(action: str, default: str, **members: str) -> PermissionPolicy:
    rule = {"action": action, **members}
    return PermissionPolicy.model_validate({"rules": [rule], "default": default})


@pytest.mark.parametrize("action", ["deny", "ask"])
@pytest.mark.parametrize(
    ("rule", "call"),
    [
        ({"command": "touch*"}, {"kind": "execute", "title": "bash"}),
        ({"command": "touch*"}, {"kind": "execute", "rawInput": {}}),
        ({"command": "touch*"}, {"kind": "execute", "rawInput": {"description": "x"}}),
        ({"command": "touch*"}, {"title": "bash"}),
        ({"command": "touch*"}, {"kind": "Execute"}),
        ({"command": "touch*"}, {"kind": "other"}),
        ({"command": "rm *"}, {"kind": "other", "rawInput": {"line": "rm x"}}),
        ({"command": "rm *"}, {"kind": "other", "rawInput": "rm x"}),
        ({"path": "*.env"}, {"kind": "edit"}),
        ({"path": "*.env"}, {"kind": "read", "rawInput": {"limit": 3}}),
        ({"path": "*.env"}, {}),
        ({"path": "*.env"}, {"kind": "teleport", "rawInput": {"a": 1}}),
        ({"tool_name": "Web*"}, {"kind": "fetch"}),
        ({"tool_kind": "execute"}, {}),
        ({"tool_kind": "execute"}, {"kind": "EXECUTE"}),
        ({"tool_kind": "execute"}, {"kind": "read", "rawInput": {"command": "rm x"}}),
        ({"tool_kind": "execute", "command": "touch*"}, {}),
    ],
)
def test_what_is_unknown_does_not_pass_a_rule_that_forbids_and_no_rule_allows_it(
    action: str, rule: dict[str, str], call: dict[str, Any]
) -> None:
    assert decide(one_rule(action, "allow", **rule), call, cwd="/w").action == action
    allowed = decide(one_rule("allow", "ask", **rule), call, cwd="/w").action
    assert allowed == "ask"


@pytest.mark.parametrize(
    ("rule", "call"),
    [
        ({"command": "touch*"}, {"kind": "edit"}),
        ({"command": "touch*"}, {"kind": "other", "rawInput": {"query": "touch it"}}),
        ({"command": "touch*"}, {"kind": "fetch"}),
        ({"path": "*.env"}, SHELL),
        ({"path": "*.env"}, {"kind": "other", "rawInput": {"query": "select"}}),
        ({"path": "*.env"}, {"kind": "think"}),
        ({"tool_kind": "execute"}, {"kind": "edit", "rawInput": {"command": "create"}}),
        ({"tool_kind": "execute"}, TOOL),
    ],
)
def test_a_rule_that_forbids_leaves_alone_what_is_known_to_be_something_else(
    rule: dict[str, str], call: dict[str, Any]
) -> None:
    assert decide(one_rule("deny", "allow", **rule), call, cwd="/w").action == "allow"


def told(*calls: dict[str, Any]) -> ToolFacts:
    facts = facts_of(calls[0])
    for call in calls[1:]:
        facts = facts.then(facts_of(call))
    return facts


def test_a_call_that_was_a_command_before_is_no_reading_now() -> None:
    facts = told({"kind": "execute", "rawInput": {"command": "rm a"}}, {"kind": "read"})
    yes_read = one_rule("allow", "allow", tool_kind="read")

    assert decide(yes_read, facts, cwd="/w", mode="read-only").action == "deny"
    assert decide(one_rule("deny", "allow", command="rm *"), facts, cwd="/w").action == "deny"
    assert decide(one_rule("allow", "ask", tool_kind="read"), facts, cwd="/w").action == "ask"


def test_a_command_that_is_told_anew_does_not_hide_the_one_before() -> None:
    facts = told(
        {"kind": "execute", "rawInput": {"command": "rm a"}},
        {"kind": "execute", "rawInput": {"command": "ls"}},
    )

    assert decide(one_rule("deny", "allow", command="rm *"), facts, cwd="/w").action == "deny"
    assert decide(one_rule("allow", "ask", command="ls"), facts, cwd="/w").action == "ask"


# Arguments that carry a command


@pytest.mark.parametrize(
    "beside",
    [
        {"cmd": "rm -rf /"},
        {"script": "rm -rf /"},
        {"args": ["status", "-c", "rm"]},
        {"input": "rm -rf /"},
        {"code": "rm()"},
        {"commands": ["git status", "rm -rf /"]},
        {"env": {"GIT_SSH_COMMAND": "rm -rf /"}},
        {"more": {"command": "rm -rf /"}},
    ],
)
def test_to_allow_a_command_every_argument_that_carries_one_has_to_match(
    beside: dict[str, Any],
) -> None:
    policy = one_rule("allow", "ask", command="git *")
    alone = {"kind": "execute", "rawInput": {"command": "git status", "description": "rm"}}
    both = {"kind": "execute", "rawInput": {"command": "git status", **beside}}

    assert decide(policy, alone, cwd="/w").action == "allow"
    assert decide(policy, both, cwd="/w").action == "ask"


def test_a_program_and_its_arguments_apart_are_one_command() -> None:
    call = {"kind": "execute", "rawInput": {"command": "git", "args": ["push", "-f"]}}

    assert decide(one_rule("deny", "allow", command="git push*"), call, cwd="/w").action == "deny"
    assert decide(one_rule("allow", "ask", command="git *"), call, cwd="/w").action == "allow"


def test_a_rule_for_paths_allows_no_command() -> None:
    call = {**SHELL, "locations": [{"path": "/w/src/a"}]}

    assert decide(one_rule("allow", "ask", path="src/*"), call, cwd="/w").action == "ask"


# Where paths lead


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """With a link out of it and one to a name that is forbidden."""
    made = tmp_path / "ws"
    (made / "src").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (made / "out").symlink_to(tmp_path / "outside")
    (made / "hooks").symlink_to(made / ".git" / "hooks")
    (made / "plain").symlink_to(made / ".env")
    return made


@pytest.mark.parametrize(
    "arguments",
    [
        {"file_path": "out/a"},
        {"file_path": "out/new/deep"},
        {"file_path": "out/../outside/a"},
        {"file_path": "file:///etc/passwd"},
        {"file_path": "file://localhost/etc/passwd"},
        {"file_path": "~/.bashrc"},
        {"file_path": " /etc/passwd"},
        {"file_path": "//etc/passwd"},
        {"file_path": "%2e%2e/x"},
        {"file_path": "src/a\0b"},
        {"file_path": "a/" * 4000 + "b"},
        {"path": "src/a", "destination": "/etc/a"},
        {"files": ["src/a", "/etc/a"]},
        {"edits": [{"file_path": "src/a"}, {"file_path": "/etc/a"}]},
        {"changes": {"src/a": {}, "/etc/a": {}}},
        {"target_file": "/etc/a"},
        {"filename": "/etc/a"},
        {"notebook_path": "/etc/a"},
        {"uri": "file:///etc/a"},
        {"deep": {"er": [{"what": "../../etc/a"}]}},
        {"input": "*** Begin Patch\n*** Update File: src/a\n*** Move to: /etc/a\n"},
        {"path": "src/a", "patch": "--- a/src/a\n+++ b/../out\n"},
        {"path": "src/a", "sub_path": "src/a", "old_path": "/etc/a"},
    ],
)
def test_an_edit_that_leads_out_of_the_workspace_is_accepted_by_no_mode_and_no_pattern(
    workspace: Path, arguments: dict[str, Any]
) -> None:
    call = {"kind": "edit", "locations": [{"path": "src/a"}], "rawInput": arguments}
    inside = one_rule("allow", "ask", path=f"{workspace}/*")

    assert decide(PermissionPolicy(), call, cwd=str(workspace), mode="accept-edits").action == "ask"
    assert decide(inside, call, cwd=str(workspace)).action == "ask"


@pytest.mark.parametrize(
    "arguments",
    [
        {"file_path": "src/a", "old_string": "/etc/a", "new_string": "~/x", "content": "/etc/b"},
        {"file_path": "./src/../src/new"},
        {"changes": {"src/a": {"type": "update"}}},
        {"edits": [{"path": "src/a", "old_text": "../../x"}]},
        {"path": "src/a", "patch": "--- a/src/a\n+++ b/src/a\n"},
    ],
)
def test_an_edit_in_the_workspace_is_accepted(workspace: Path, arguments: dict[str, Any]) -> None:
    call = {"kind": "edit", "rawInput": arguments}

    decision = decide(PermissionPolicy(), call, cwd=str(workspace), mode="accept-edits")
    assert decision.action == "allow"
    assert (
        decide(one_rule("allow", "ask", path="src/*"), call, cwd=str(workspace)).action == "allow"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"file_path": ".env"},
        {"file_path": "plain"},
        {"file_path": "src/../.env"},
        {"target_file": "src/.env"},
        {"filename": ".env"},
        {"uri": "file://{cwd}/.env"},
        {"from": "a", "to": ".env"},
    ],
)
def test_a_forbidden_path_is_found_behind_links_and_in_every_argument(
    workspace: Path, arguments: dict[str, str]
) -> None:
    given = {key: value.format(cwd=workspace) for key, value in arguments.items()}
    policy = one_rule("deny", "allow", path="*.env")

    for kind in ("edit", "read", "other"):
        call = {"kind": kind, "rawInput": given}
        assert decide(policy, call, cwd=str(workspace)).action == "deny"


def test_a_workspace_that_is_reached_through_a_link_is_itself(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    for cwd, path in ((link, real / "a"), (real, link / "a"), (link, link / "a")):
        call = {"kind": "edit", "locations": [{"path": str(path)}]}
        mode = decide(PermissionPolicy(), call, cwd=str(cwd), mode="accept-edits")
        assert mode.action == "allow"
        assert decide(one_rule("allow", "ask", path="a"), call, cwd=str(cwd)).action == "allow"


# What widens what is allowed


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/pre-commit", ".GIT/config", "sub/.git/config", "hooks/pre-commit", ".claude/settings.json",
        ".mcp.json", ".gemini/settings.json", ".qwen/settings.json", ".codex/config.toml", ".opencode/plugin/a.js",
        "opencode.jsonc", ".kilocode/rules", ".cursor/mcp.json", ".github/hooks/a.json", ".vscode/tasks.json",
        ".husky/pre-push", "CLAUDE.md", "sub/Agents.md", "GEMINI.md", ".env", ".envrc", "plain",
    ],
)  # fmt: skip
def test_what_configures_agents_or_runs_by_itself_is_accepted_by_its_exact_name_only(
    workspace: Path, path: str
) -> None:
    call = {"kind": "edit", "rawInput": {"file_path": path}}
    cwd = str(workspace)

    assert decide(PermissionPolicy(), call, cwd=cwd, mode="accept-edits").action == "ask"
    assert decide(one_rule("allow", "ask", path="*"), call, cwd=cwd).action == "ask"
    assert decide(one_rule("allow", "ask", path=f"{cwd}/*"), call, cwd=cwd).action == "ask"
    reading = {**call, "kind": "read"}
    assert decide(one_rule("allow", "ask", path="*"), reading, cwd=cwd).action == "allow"


def test_a_rule_that_names_it_exactly_allows_it(workspace: Path) -> None:
    call = {"kind": "edit", "rawInput": {"file_path": f"{workspace}/CLAUDE.md"}}
    through_link = {"kind": "edit", "rawInput": {"file_path": "plain"}}
    cwd = str(workspace)

    assert decide(one_rule("allow", "ask", path="CLAUDE.md"), call, cwd=cwd).action == "allow"
    assert decide(one_rule("allow", "ask", path="plain"), through_link, cwd=cwd).action == "ask"


def test_a_workspace_below_such_a_directory_is_a_workspace(tmp_path: Path) -> None:
    cwd = tmp_path / ".claude" / "worktrees" / "a"
    cwd.mkdir(parents=True)
    call = {"kind": "edit", "rawInput": {"file_path": str(cwd / "src.py")}}

    decision = decide(PermissionPolicy(), call, cwd=str(cwd), mode="accept-edits")
    assert decision.action == "allow"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/more/a.txt", "allow"),
        ("/more/../more/a.txt", "allow"),
        ("/w/a.txt", "allow"),
        ("/more/.git/hooks/pre-commit", "ask"),
        ("/more/CLAUDE.md", "ask"),
        ("/more/../etc/passwd", "ask"),
        ("/moreover/a.txt", "ask"),
    ],
)
def test_a_directory_beside_the_workspace_is_as_the_workspace(path: str, expected: str) -> None:
    call = {"kind": "edit", "locations": [{"path": path}]}
    decision = decide(
        PermissionPolicy(), call, cwd="/w", directories=["/more"], mode="accept-edits"
    )
    assert decision.action == expected


def test_a_relative_rule_is_about_the_workspace_alone() -> None:
    call = {"kind": "edit", "locations": [{"path": "/more/src/a.txt"}]}
    relative, absolute = (
        one_rule("allow", "ask", path="src/*"),
        one_rule("allow", "ask", path="/more/src/*"),
    )

    assert decide(relative, call, cwd="/w", directories=["/more"]).action == "ask"
    assert decide(absolute, call, cwd="/w", directories=["/more"]).action == "allow"
