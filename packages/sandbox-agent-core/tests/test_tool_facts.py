"""How a tool call is read by whoever decides on it: its commands, its paths, and what is not known of it."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.tool_facts import (
    MAX_FACT_CHARS,
    MAX_PATHS,
    MAX_TELLINGS,
    ToolFacts,
    facts_of,
)


@pytest.mark.parametrize(
    ("call", "commands"),
    [
        ({"rawInput": {"command": "git status", "description": "x"}}, ["git status"]),
        ({"rawInput": {"cmd": "git status"}}, ["git status"]),
        ({"rawInput": {"command": ["git", "commit", "-m", "a b"]}}, ["git commit -m 'a b'"]),
        ({"rawInput": {"command": ["bash", "-lc", "ls; pwd"]}}, ["bash -lc 'ls; pwd'"]),
        ({"rawInput": {"command": ["ls -l"]}}, ["ls -l"]),
        ({"rawInput": {"command": "a", "commands": ["a", "b c"]}}, ["a", "b c"]),
        ({"rawInput": {"command": "git", "args": ["log", "-p"]}}, ["git log -p"]),
        ({"rawInput": {"command": "make", "env": {"A": "b"}}}, ["make", "A=b"]),
        ({"rawInput": {"shell_command": "a", "Script": "b"}}, ["a", "b"]),
        ({"rawInput": {"params": {"command": "rm x"}}}, ["rm x"]),
        (
            {"title": "bash", "_meta": {"opencode": {"metadata": {"command": "touch x"}}}},
            ["touch x"],
        ),
        ({"rawInput": {"command": ["git", 5]}}, []),
        ({"rawInput": {"command": " "}}, []),
        ({"rawInput": {"args": ["x"], "code": "y"}}, []),
        ({"rawInput": "rm x"}, []),
        ({"rawInput": ["rm"], "title": "rm"}, []),
        ({}, []),
    ],
)
def test_commands_are_found_in_every_argument_that_carries_one(
    call: dict[str, Any], commands: list[str]
) -> None:
    facts = facts_of(call)
    assert list(facts.commands) == commands
    assert facts.command == ("\n".join(commands) if commands else None)


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ({"file_path": "a", "notebook_path": "b", "Path": "c"}, ["a", "b", "c"]),
        ({"source": "a/b", "destination": "c", "target": "es2020"}, ["a/b", "c"]),
        ({"files": ["a", {"path": "b"}], "edits": [{"file": "c"}]}, ["a", "b", "c"]),
        ({"changes": {"a": {"type": "update"}, "/b": {}}}, ["a", "/b"]),
        ({"x": {"y": [["../a"]]}, "z": "~/b"}, ["../a", "~/b"]),
        (
            {"uri": "file:///a", "url": "https://x/y", "link": "FILE:///b"},
            ["file:///a", "FILE:///b"],
        ),
        ({"uri": "https://x/y", "path": ""}, []),
        ({"old_string": "/a", "content": "/b", "description": "/c", "query": "../d"}, []),
        ({"patch": "diff --git a/x b/y\n--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n"}, ["x", "y"]),
        ({"input": "*** Begin Patch\n*** Add File: a\n+x\n*** Move to: b\n"}, ["a", "b"]),
        ({"diff": "--- /dev/null\n+++ new.txt\t2026\n"}, ["new.txt"]),
    ],
)
def test_paths_are_found_in_every_argument_that_names_one(
    arguments: dict[str, Any], paths: list[str]
) -> None:
    assert list(facts_of({"rawInput": arguments}).paths) == paths


def test_places_and_changes_name_paths_too_each_once() -> None:
    call = {
        "locations": [{"path": "a", "line": 3}, {"path": 5}, "b"],
        "content": [{"type": "diff", "path": "c"}, {"type": "content"}],
        "rawInput": {"file_path": "a"},
        "_meta": {"codex": {"grantRoot": "/d"}},
    }
    assert facts_of(call).paths == ("a", "c", "/d")
    assert facts_of({"locations": "a", "content": None, "rawInput": []}).paths == ()


@pytest.mark.parametrize(
    ("call", "command", "path"),
    [
        ({}, True, True),
        ({"kind": "teleport"}, True, True),
        ({"kind": "Execute"}, True, True),
        ({"kind": 5}, True, True),
        ({"kind": "execute"}, True, False),
        ({"kind": "execute", "rawInput": {"command": "x"}}, False, False),
        ({"kind": "edit"}, False, True),
        ({"kind": "read", "locations": [{"path": "a"}]}, False, False),
        ({"kind": "other"}, True, True),
        ({"kind": "other", "rawInput": {"a": "b"}}, False, False),
        ({"kind": "think"}, False, False),
    ],
)
def test_what_is_not_told_is_unknown(call: dict[str, Any], command: bool, path: bool) -> None:
    facts = facts_of(call)
    assert (facts.is_command_unknown, facts.is_path_unknown) == (command, path)


def test_what_is_told_later_counts_and_what_was_told_before_is_not_forgotten() -> None:
    first = facts_of({"kind": "execute", "name": "Bash", "rawInput": {"command": "rm x"}})
    facts = first.then(facts_of({"kind": "read", "rawInput": {"command": "ls"}}))

    assert (facts.kinds, facts.names, facts.command) == (("execute", "read"), ("Bash",), "ls")
    assert [one.command for one in facts.tellings] == ["ls", "rm x"]
    assert facts.then(facts_of({"title": "x"})) == facts


def test_arguments_that_come_in_pieces_are_one_telling() -> None:
    facts = ToolFacts()
    for given in ({}, {"command": "git"}, {"command": "git pu"}, {"command": "git push"}):
        facts = facts.then(facts_of({"kind": "execute", "rawInput": given}))

    assert (facts.command, facts.earlier) == ("git push", ())


@pytest.mark.parametrize(
    "call",
    [
        {"kind": "execute", "rawInput": {"command": "x" * (MAX_FACT_CHARS + 1)}},
        {"kind": "edit", "rawInput": {"files": [f"f{number}" for number in range(MAX_PATHS + 1)]}},
        {
            "kind": "edit",
            "rawInput": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"j": 1}}}}}}}}}},
        },
    ],
)
def test_of_too_much_it_is_known_that_it_was_too_much(call: dict[str, Any]) -> None:
    facts = facts_of(call)
    assert facts.is_cut
    assert facts.is_command_unknown
    assert facts.is_path_unknown


def test_only_so_many_tellings_are_kept() -> None:
    facts = ToolFacts()
    for number in range(MAX_TELLINGS + 3):
        facts = facts.then(facts_of({"rawInput": {"command": f"{number} x"}}))

    assert facts.is_cut
    assert len(facts.earlier) == MAX_TELLINGS
