"""Many tasks with several agents: bounded, in parallel; what each did, changed and cost in a directory.

python evaluate.py tasks.json results [--agent claude --agent codex] [--timeout 600] [--max-cost 1.5]
"""

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import Any

from sandbox_agent_client import PromptResult, SandboxAgent, Session, errors

GIT = "git -c user.name=evaluation -c user.email=evaluation@localhost"


async def main() -> None:
    args = arguments()
    tasks = json.loads(args.tasks.read_text())
    gate = asyncio.Semaphore(args.parallel)
    async with SandboxAgent.start("local", data_dir=args.out / "sessions") as client:
        runs = [evaluate(client, gate, args, task, agent) for task in tasks for agent in args.agent]
        rows = await asyncio.gather(*runs)
    (args.out / "results.json").write_text(json.dumps(rows, indent=1))
    known = [row["cost"] for row in rows if row["cost"] is not None]
    print(f"{sum(row['passed'] for row in rows)}/{len(rows)} passed, {sum(known):.4f} USD")


async def evaluate(
    client: SandboxAgent, gate: asyncio.Semaphore, args: Any, task: dict[str, Any], agent: str
) -> dict[str, Any]:
    row = {"task": task["name"], "agent": agent, "passed": False, "cost": None}
    async with gate:
        for attempt in range(1, args.attempts + 1):
            row |= {"attempt": attempt, "error": None}
            directory = args.out / f"{task['name']}.{agent}.{attempt}"
            workspace = await prepared(directory / "workspace", task.get("files", {}))
            try:
                row |= await one_attempt(client, args, task, agent, directory, workspace)
                break
            except errors.SandboxAgentError as exc:
                row["error"] = f"{exc.code}: {exc.message}"
                if not exc.retryable:
                    break
                await asyncio.sleep(2**attempt)
    print(json.dumps(row), flush=True)
    return row


async def one_attempt(
    client: SandboxAgent, args: Any, task: Any, agent: str, directory: Path, workspace: Path
) -> dict[str, Any]:
    session = await client.create_session(
        agent,
        cwd=str(workspace),
        env={name: value for name, value in os.environ.items() if name.endswith("_API_KEY")},
        permission_policy={"default": "allow"},  # nobody is asked: there is only its workspace
        metadata={"task": task["name"]},
    )
    try:
        result = await session.prompt(
            task["prompt"],
            timeout=args.timeout,  # a turn that is stopped is no error: it has a cost, too
            max_turns=args.max_turns,
            max_cost=args.max_cost,
        )
        return await outcome(session, result, task, directory, workspace)
    finally:
        await session.end()


async def outcome(
    session: Session, result: PromptResult, task: Any, directory: Path, workspace: Path
) -> dict[str, Any]:
    transcript = await session.transcript()
    (directory / "transcript.json").write_text(transcript.model_dump_json(by_alias=True, indent=1))
    _, diff = await run(f"{GIT} add -A && {GIT} diff --cached HEAD", workspace)
    (directory / "changes.diff").write_bytes(diff)
    status, output = await run(task["check"], workspace)
    (directory / "check.txt").write_bytes(output)
    return {
        "passed": result.stop_reason == "end_turn" and status == 0,
        "stop_reason": result.stop_reason,
        "limit": result.limit,
        "tokens": result.usage.total_tokens if result.usage else None,
        "cost": result.cost.amount if result.cost else None,
        "changed_bytes": len(diff),
    }


async def prepared(workspace: Path, files: dict[str, str]) -> Path:
    workspace.mkdir(parents=True)
    for name, text in files.items():
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(text)
    await run(f"git init -q && {GIT} add -A && {GIT} commit -qm Before --allow-empty", workspace)
    return workspace


async def run(command: str, directory: Path) -> tuple[int | None, bytes]:
    process = await asyncio.create_subprocess_shell(
        command, cwd=directory, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode, output


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", type=Path)
    parser.add_argument("out", type=lambda text: Path(text).resolve())
    parser.add_argument("--agent", action="append")
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--attempts", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("--max-turns", type=int)
    parser.add_argument("--max-cost", type=float)
    args = parser.parse_args()
    args.agent = args.agent or ["mock"]
    args.out.mkdir(parents=True)
    return args


if __name__ == "__main__":
    asyncio.run(main())
