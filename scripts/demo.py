#!/usr/bin/env python3
"""`make run`: a session from start to end on this machine, with the built-in mock agent.

It needs no account, no key and no network: the agent plays a script, everything else is real.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from sandbox_agent_client import (
    Event,
    MessageCompleted,
    MessageDelta,
    PermissionRequest,
    PermissionResolved,
    SandboxAgent,
    SandboxAgentError,
    Session,
    ToolCompleted,
    ToolStarted,
    TurnEnded,
    UsageUpdated,
)

# The first word of a prompt tells the mock agent which scene to play; `help` lists them.
PROMPTS = ("tool Look around", "permission Make a file", "usage What did that cost?")
NEXT = """\
What to try next
  A real agent    export ANTHROPIC_API_KEY=...
                  sandbox-agent run --agent claude "Explain this repository"
  What it did     sandbox-agent sessions --help
  In a browser    sandbox-agent server start && sandbox-agent ui
  As a server     sandbox-agent-server
  In your code    examples/quickstart.py, examples/permissions.py
  Read            README.md and docs/"""


async def main() -> None:
    say(bold("Starting a sandbox on this machine ..."))
    async with SandboxAgent.start(sandbox="local") as client:
        session = await client.create_session(agent="mock")
        say(f"The server is up, session {session.id} is ready.\n")
        session.on_permission(allow)
        for prompt in PROMPTS:
            await watch_one_turn(session, prompt)
        await read_it_back(session)
    say("The sandbox is gone: the server, the agent and what they started.\n")
    say(NEXT)


async def watch_one_turn(session: Session, prompt: str) -> None:
    say(bold(f"> {prompt}"))
    async for event in session.prompt_stream(prompt):
        show(event)


def show(event: Event) -> None:
    match event:
        case MessageDelta(text=text):
            print(text, end="", flush=True)
        case MessageCompleted(role="assistant"):
            say("")
        case ToolStarted(title=title):
            say(dim(f"  starts     {title}"))
        case ToolCompleted(title=title, status=status, exit_code=code):
            say(dim(f"  {status:<10} {title}" + ("" if code is None else f", exit code {code}")))
        case PermissionResolved(option_name=answer, decided_by=who):
            say(dim(f"  answer     {answer}, decided by: {who}"))
        case UsageUpdated(context_used=int(used), context_size=size, cost=cost):
            paid = f", {cost.amount:.3f} {cost.currency}" if cost else ""
            say(dim(f"  usage      {used} of {size} tokens of context{paid}"))
        case TurnEnded(stop_reason=reason, usage=usage):
            spent = f", {usage.total_tokens} tokens" if usage and usage.total_tokens else ""
            say(dim(f"  ended      {reason}{spent}\n"))


async def allow(request: PermissionRequest) -> None:
    say(dim(f"  asks       may I run {request.command or request.title!r}?"))
    await request.allow_once()


async def read_it_back(session: Session) -> None:
    say(bold("The same session, read back from its log"))
    events = [event async for event in session.events()]
    for event in events:
        if not event.type.endswith(".delta"):
            say(f"  {event.seq:>4}  {event.type}")
    say(f"{len(events)} events; each carries the raw frame it was made from.\n")


def say(text: str) -> None:
    print(text, flush=True)


def bold(text: str) -> str:
    return _styled("1", text)


def dim(text: str) -> str:
    return _styled("2", text)


def _styled(code: str, text: str) -> str:
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR")
    return text if plain else f"\x1b[{code}m{text}\x1b[0m"


if __name__ == "__main__":
    if not Path(sys.executable).with_name("sandbox-agent-server").exists():
        sys.exit("sandbox-agent is not installed in this environment: run `make setup` first.")
    try:
        asyncio.run(main())
    except SandboxAgentError as error:
        sys.exit(f"The demo failed: {error}")
