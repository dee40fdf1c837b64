"""Scenarios that go well and ask nobody: text, tools, plans, sub-agents."""

from __future__ import annotations

from typing import Any, Final

from sandbox_agent_core.frames import acp

from sandbox_agent_server.agents.mock.turn import Turn, Update, message

__all__ = [
    "END", "echo", "edit", "history", "late", "plan", "reasoning", "substeps", "terminal", "text", "tool",
    "tool_done", "tool_started", "tool_update", "unknown", "usage",
]  # fmt: skip

END: Final = "end_turn"


def tool_started(id: str, title: str, kind: str, input: Any, **more: Any) -> Update:
    return {
        "sessionUpdate": acp.TOOL_CALL,
        "toolCallId": id,
        "title": title,
        "kind": kind,
        "status": "pending",
        "rawInput": input,
        **more,
    }


def tool_update(id: str, status: str, **more: Any) -> Update:
    return {"sessionUpdate": acp.TOOL_CALL_UPDATE, "toolCallId": id, "status": status, **more}


def tool_done(id: str, output: str, **more: Any) -> Update:
    """The good end of a command."""
    raw = {"output": output, "exit_code": 0}
    return tool_update(id, "completed", content=_shown(output), rawOutput=raw, **more)


def _shown(text: str) -> list[dict[str, Any]]:
    return [{"type": "content", "content": {"type": "text", "text": text}}]


async def echo(turn: Turn) -> str:
    echoed = f"You said: {turn.text}" if turn.text else "You said nothing."
    await turn.say(echoed if turn.session.reply is None else turn.session.reply)
    return END


async def text(turn: Turn, _words: list[str]) -> str:
    await turn.say("The quick brown fox jumps over the lazy dog.\n\nIt does so *every* time.")
    return END


async def history(turn: Turn, _words: list[str]) -> str:
    session = turn.session
    prompts = "\n".join(f"{index}. {text}" for index, text in enumerate(session.prompts[:-1]))
    title = f" It is called {session.title}." if session.title else ""
    await turn.say(f"This session was {session.origin}.{title}\n{prompts}".strip())
    return END


async def reasoning(turn: Turn, _words: list[str]) -> str:
    await turn.think("Six times seven: forty and two.")
    await turn.say("The answer is 42.")
    return END


async def tool(turn: Turn, _words: list[str]) -> str:
    await turn.say("Let me look.")
    id = turn.new_call_id()
    await turn.send(tool_started(id, "ls -1", "execute", {"command": "ls -1"}))
    await turn.send(tool_update(id, "in_progress"))
    await turn.send(tool_done(id, "README.md\nsrc\ntests\n"))
    await turn.say("There are three entries.")
    return END


async def edit(turn: Turn, _words: list[str]) -> str:
    id = turn.new_call_id()
    path = f"{turn.session.cwd}/greeting.txt"
    input = {"path": path, "old": "Hello", "new": "Good morning"}
    where = [{"path": path, "line": 1}]
    diff = {"type": "diff", "path": path, "oldText": "Hello\n", "newText": "Good morning\n"}
    turn.session.edits[-1].append(path)
    await turn.send(tool_started(id, "Edit greeting.txt", "edit", input, locations=where))
    await turn.send(tool_update(id, "completed", content=[diff], locations=where))
    await turn.say("The greeting is friendlier now.")
    return END


async def terminal(turn: Turn, _words: list[str]) -> str:
    id = turn.new_call_id()
    own = {"terminal_id": id}
    await turn.send(
        tool_started(
            id,
            "make test",
            "execute",
            {"command": "make test"},
            content=[{"type": "terminal", "terminalId": id}],
            _meta={"terminal_info": own},
        )
    )
    for line in ("collecting\r\n", "\x1b[32m2 passed\x1b[0m\r\n"):
        await turn.send(
            tool_update(id, "in_progress", _meta={"terminal_output": {**own, "data": line}})
        )
    exit = {**own, "exit_code": 0, "signal": None}
    await turn.send(tool_update(id, "completed", _meta={"terminal_exit": exit}))
    await turn.say("The tests pass.")
    return END


async def plan(turn: Turn, _words: list[str]) -> str:
    steps = ("Read the code", "Change it", "Run the tests")
    for done in range(3):
        statuses = ["completed"] * done + ["in_progress"] + ["pending"] * 2
        entries = [
            {"content": step, "priority": "medium", "status": status}
            for step, status in zip(steps, statuses, strict=False)
        ]
        await turn.send({"sessionUpdate": acp.PLAN, "entries": entries})
        await turn.say(f"{steps[done]}. ")
    return END


async def usage(turn: Turn, _words: list[str]) -> str:
    for used, amount in ((1200, 0.004), (2600, 0.009)):
        cost = {"amount": amount, "currency": "USD"}
        await turn.send(
            {"sessionUpdate": acp.USAGE_UPDATE, "used": used, "size": 200_000, "cost": cost}
        )
    await turn.say("That was cheap.")
    return END


async def substeps(turn: Turn, _words: list[str]) -> str:
    task, search = turn.new_call_id(), turn.new_call_id()
    inside: Update = {"_meta": {"parentToolCallId": task}}
    await turn.send(tool_started(task, "Task", "think", {"prompt": "Find the tests"}))
    await turn.send(message("Searching.") | inside)
    await turn.send(tool_started(search, "grep -r test", "search", {"pattern": "test"}, **inside))
    await turn.send(tool_done(search, "tests/test_a.py\n", **inside))
    await turn.send(tool_update(task, "completed", content=_shown("They are in tests/.")))
    await turn.say("The tests are in tests/.")
    return END


async def unknown(turn: Turn, _words: list[str]) -> str:
    await turn.send({"sessionUpdate": "weather_report", "sky": "blue", "wind": {"knots": 7}})
    await turn.say("You have not seen that before.")
    return END


async def late(turn: Turn, _words: list[str]) -> str:
    id = turn.new_call_id()
    started = tool_started(id, "sleep 1", "execute", {"command": "sleep 1"})
    running = tool_update(id, "in_progress")
    await turn.send(started, started, running, running)
    await turn.say("It runs in the background.")
    turn.afterwards += [running, tool_done(id, "done\n"), tool_done(id, "done\n")]
    return END
