"""Shell blocks: each command as the page has it; ours in this process, because a start of Python takes a second."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path

import typer
from sandbox_agent_client.cli.main import app
from sandbox_agent_core.spi.command import GROUP
from typer.testing import CliRunner

from support.server import DEADLINE_S, until

__all__ = ["Shell", "check_options", "commands_of"]

_WORDS_OF_SHELL = re.compile(r"[|&;<>$`(]")


class Shell:
    """A scratch directory with an environment, which `export` changes."""

    def __init__(self, directory: Path, env: dict[str, str]) -> None:
        self.directory = directory
        self.env = env
        self.output = ""

    def run(self, command: str) -> int:
        words = shlex.split(command)
        if words[0] == "export":
            self.env |= dict(word.split("=", 1) for word in words[1:])
            return 0
        if re.search(r"(^|\s)sandbox-agent-server( -|$)", command):
            return self._serve(command)
        if words[0] == "sandbox-agent" and not _WORDS_OF_SHELL.search(command):
            return self._run_here(words[1:])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.directory,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        self.output = done.stdout
        return done.returncode

    def _serve(self, command: str) -> int:
        """A server goes on until it is stopped: it has started when it says where it listens."""
        ready, log = self.directory / "ready.json", self.directory / "server.log"
        ready.unlink(missing_ok=True)
        command = re.sub(r"--port \d+", "", command.replace("/data", str(self.directory / "data")))
        command = (
            f"exec {command}" if command.startswith("sandbox-agent") else f"exec env {command}"
        )
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"{command} --port 0 --ready-file {ready}"],
                cwd=self.directory,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        try:
            until(lambda: ready.exists() or process.poll() is not None)
        finally:
            process.terminate()
            process.wait(DEADLINE_S)
        self.output = log.read_text(encoding="utf-8")
        return 0 if ready.exists() else 1

    def _run_here(self, arguments: Sequence[str]) -> int:
        before = Path.cwd()
        hidden: dict[str, str | None] = {name: None for name in os.environ if name not in self.env}
        os.chdir(self.directory)
        try:
            result = CliRunner().invoke(app, [*arguments], env={**hidden, **self.env})
        finally:
            os.chdir(before)
        self.output = result.output
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code


def commands_of(text: str) -> Iterator[str]:
    """Logical lines without comments."""
    for line in text.replace("\\\n", " ").splitlines():
        bare = re.sub(r"(^|\s)#\s.*$", "", line).strip()
        if bare:
            yield bare


def check_options(command: str) -> None:
    """Every `sandbox-agent` in it names a command that there is, and options that it has."""
    for part in re.split(r"\|\||&&|[|;]|\$\(", command):
        try:
            words = shlex.split(part.rstrip(")\"' ") if "$(" in command else part)
        except ValueError:  # a quote that another part closes
            continue
        while words and re.fullmatch(r"\w+=.*", words[0]):
            words = words[1:]
        if words[:1] == ["sandbox-agent"]:
            _check_typer(words[1:])


def _check_typer(words: list[str]) -> None:
    if words and entry_points(group=GROUP, name=words[0]):
        return  # a plug-in's, which parses its own
    command = typer.main.get_command(app)
    while (
        words and not words[0].startswith("-") and (commands := getattr(command, "commands", None))
    ):
        if words[0] not in commands and getattr(command, "invoke_without_command", False):
            break
        assert words[0] in commands, f"`sandbox-agent` has no command {words[0]!r}"
        command, words = commands[words[0]], words[1:]
    offered = {
        name
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    words = words[: words.index("--")] if "--" in words else words  # of another program
    given = [word.split("=", 1)[0] for word in words if re.fullmatch(r"--?[a-z][\w=.-]*", word)]
    assert set(given) <= offered | {"--help"}, f"{command.name}: {sorted(set(given) - offered)}"
