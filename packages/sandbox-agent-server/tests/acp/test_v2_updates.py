"""What agents say in version 1 of ACP, in the words of version 2."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_server.acp.remote.v2.diffs import diff
from sandbox_agent_server.acp.remote.v2.options import config_options
from sandbox_agent_server.acp.remote.v2.updates import updates
from sandbox_agent_server.agents.runner.config_options import ConfigOptions

Update = dict[str, Any]


def told(update: Update, item_id: str | None = "item", **more: Any) -> list[Update]:
    return list(updates(update, item_id=item_id, **more))


def test_a_call_is_an_update_whether_it_is_new_or_not() -> None:
    for kind in ("tool_call", "tool_call_update"):
        call = {"sessionUpdate": kind, "toolCallId": "c", "title": "Read", "status": "_odd"}
        assert told(call) == [{**call, "sessionUpdate": "tool_call_update"}]


def test_null_clears_nothing_that_version_1_only_left_unsaid() -> None:
    call = {"sessionUpdate": "tool_call_update", "toolCallId": "c", "title": None, "content": None}
    assert told(call) == [{"sessionUpdate": "tool_call_update", "toolCallId": "c"}]


def test_chunks_name_their_message() -> None:
    chunk = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "a"}}
    assert told(chunk, "msg_1") == [{**chunk, "messageId": "msg_1"}]


def test_a_terminal_has_updates_of_its_own() -> None:
    data = "é" * 200_000
    call = {
        "sessionUpdate": "tool_call",
        "toolCallId": "c",
        "rawInput": {"command": "make"},
        "_meta": {
            "kept": 1,
            "terminal_info": {"terminal_id": "t", "cwd": "/w"},
            "terminal_output": {"terminal_id": "t", "data": data},
            "terminal_exit": {"terminal_id": "t", "exit_code": 2, "signal": None},
        },
    }
    opened, said, *output, exited = told(call)
    terminal = {"sessionUpdate": "terminal_update", "terminalId": "t"}
    assert opened == {**terminal, "command": "make", "cwd": "/w"}
    assert (said["toolCallId"], said["_meta"]) == ("c", {"kept": 1})
    assert exited == {**terminal, "exitStatus": {"exitCode": 2}}
    assert len(output) > 1
    assert b"".join(base64.b64decode(one["data"]) for one in output).decode() == data


def test_an_exit_code_that_is_none_of_the_schemas_is_left_out() -> None:
    for code in (-9, 2**40, True, "1"):
        exit = {"terminal_exit": {"exit_code": code, "signal": "SIGKILL"}}
        call = {"sessionUpdate": "tool_call_update", "toolCallId": "c", "_meta": exit}
        assert told(call)[-1]["exitStatus"] == {"signal": "SIGKILL"}
        assert told(call)[-1]["terminalId"] == "c"


def test_there_is_one_plan() -> None:
    entries = [{"content": "a", "priority": "high", "status": "pending"}]
    (first,) = told({"sessionUpdate": "plan", "entries": entries})
    (second,) = told({"sessionUpdate": "plan", "entries": []})
    assert first["sessionUpdate"] == "plan_update"
    assert first["plan"]["entries"] == entries
    assert first["plan"]["planId"] == second["plan"]["planId"]


def test_commands_are_of_a_kind_and_those_of_the_server_are_among_them() -> None:
    own = [{"name": "review", "description": "mine", "input": {"hint": "what"}}, {"name": "x"}]
    common = [{"name": "review", "description": "the server's"}, {"name": "compact"}]
    update = {"sessionUpdate": "available_commands_update", "availableCommands": own}
    review, x, compact = told(update, common_commands=common)[0]["availableCommands"]
    assert review["input"] == {"type": "text", "hint": "what"}
    assert (review["type"], review["description"]) == ("command", "mine")
    assert (x["name"], x["description"]) == ("x", "")
    assert compact["name"] == "compact"


@pytest.mark.parametrize(
    "kind", ["usage_update", "notice", "_vendor", "of_tomorrow", None, 7, ["tool_call"]]
)
def test_what_is_the_same_or_unknown_is_passed_on(kind: Any) -> None:
    update = {"sessionUpdate": kind, "anything": [None]}
    assert told(update) == [update]


def test_a_patch_is_one_that_git_applies(tmp_path: Path) -> None:
    old = "".join(f"line {number}\n" for number in range(40))
    new = old.replace("line 3\n", "three\n").replace("line 30\n", "") + "no newline"
    for is_new in (False, True):
        file = tmp_path / ("new" if is_new else "old")
        item = {"type": "diff", "path": str(file), "newText": new}
        if not is_new:
            file.write_text(old, encoding="utf-8")
            item |= {"oldText": old, "_meta": {"kept": 1}}
        made = diff(item)
        operation = "add" if is_new else "modify"
        assert made["changes"] == [{"operation": operation, "path": str(file)}]
        assert made.get("_meta") == (None if is_new else {"kept": 1})
        patch = made["patch"]["text"]
        assert f"diff --git {file} {file}\n" in patch
        # Git knows relative paths alone.
        relative = patch.replace(str(file), file.name)
        command = ["git", "apply", "-p0", "-"]
        subprocess.run(command, input=relative, text=True, cwd=tmp_path, check=True, timeout=30)
        assert file.read_text(encoding="utf-8") == new


def test_a_path_that_would_break_the_patch_has_none() -> None:
    made = diff({"type": "diff", "path": '/a\n"b', "oldText": "a\n", "newText": "b\n"})
    assert made["changes"][0]["path"] == '/a\n"b'
    assert "patch" not in made


def test_modes_and_models_are_options() -> None:
    modes = ({"id": "a", "name": "A", "description": "d"}, {"id": "b"})
    models = ({"id": "m", "modelId": "m", "name": "M"},)
    mode, model = config_options(
        ConfigOptions(mode="b", modes=modes, model="m", listed_models=models)
    )
    assert (mode["configId"], mode["category"], mode["currentValue"]) == ("mode", "mode", "b")
    choices = [{"value": "a", "name": "A", "description": "d"}, {"value": "b", "name": "b"}]
    assert mode["options"] == choices
    assert (model["configId"], model["options"]) == ("model", [{"value": "m", "name": "M"}])


def test_an_agents_own_options_are_not_told_twice() -> None:
    own = {"id": "my-mode", "name": "Mode", "category": "mode", "currentValue": "a"}
    groups = [{"group": "g", "name": "G", "options": [{"value": "a", "name": "A"}]}]
    options = ConfigOptions(mode="a", modes=({"id": "a"},), options=({**own, "options": groups},))
    (told,) = config_options(options)
    assert (told["configId"], told["type"]) == ("my-mode", "select")
    assert told["options"] == [
        {"groupId": "g", "name": "G", "options": [{"value": "a", "name": "A"}]}
    ]
