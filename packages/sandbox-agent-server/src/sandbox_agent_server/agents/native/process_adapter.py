"""The agent's half of an adapter over a process: its lines, what it is asked, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox_agent_core.frames.jsonrpc import INVALID_REQUEST
from sandbox_agent_core.lenient import compact
from sandbox_agent_core.spi.agent import AgentContext, AgentExit

from sandbox_agent_server import jsonio
from sandbox_agent_server.agents.acp.mending import members_at_head
from sandbox_agent_server.agents.link import AgentLink
from sandbox_agent_server.agents.native.adapter import NativeAdapter, T
from sandbox_agent_server.agents.native.dispatcher import Dispatcher, QuestionId
from sandbox_agent_server.agents.native.refusals import AgentEnded, Refused
from sandbox_agent_server.agents.native.translator import Native, Output
from sandbox_agent_server.agents.private_file import PrivateFile
from sandbox_agent_server.runtime.lines import OversizeLine

__all__ = ["ProcessAdapter"]


class ProcessAdapter(NativeAdapter[T]):
    """One process at a time, and JSON objects on its lines.

    A line is translated and delivered in the callback that read it. Only when one answers a question
    does the rest of the batch wait: whoever asked goes on first, so that nothing overtakes.
    """

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self._link: AgentLink | None = None
        self._files: Sequence[PrivateFile] = ()
        self._dispatcher = Dispatcher(self._question_id)
        self._leaving: list[AgentLink] = []
        self._early: list[tuple[bytes, Native]] = []
        """From before the session was open: told after it."""
        self._held: list[bytes] | None = None
        """Lines behind an answer."""
        self._turn: asyncio.Handle | None = None
        """Of whoever got the answer."""
        self._is_paused = False
        self._is_over = False
        """The process has said its last."""

    # What a subclass says whose agent is asked questions: its vocabulary

    def _question_id(self, number: int) -> QuestionId:
        return f"host-{number}"

    def _question(self, id: QuestionId, method: str, params: Native) -> Native:
        """The message that asks."""
        raise NotImplementedError

    def _answers(self, message: Native) -> QuestionId | None:
        """The id of the question that a message answers. None: it is none, and for the translator."""
        return None

    def _result(self, answer: Native) -> Any:
        """What an answer says. Raises: AgentRefused."""
        raise NotImplementedError

    def _in_place_of(self, known: Native, head: bytes, why: str) -> Native | None:
        """What is read instead of a lost message that began so, and nothing where nobody waits for it.

        One that asked something is answered here: neither the agent nor a turn waits for ever.
        """
        return None

    # AgentAdapter

    def pause(self) -> None:
        self._is_paused = True
        if self._link is not None:
            self._link.pause()

    def resume(self) -> None:
        self._is_paused = False
        if self._link is not None:
            self._link.resume()
        if self._held is not None and self._turn is None:
            self._give_turn()

    async def _stop(self) -> AgentExit:
        if self._link is not None:
            await self._link.close()
            while self._held is not None:
                self._go_on()
        return await self._forget_process()

    # To the agent

    async def ask(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """The agent's answer. Whoever awaits it straight, not by another task, goes on before the
        agent's next message is looked at.

        Raises: AgentRefused, AgentEnded.
        """
        if self._link is None or self._is_over:
            raise AgentEnded
        id, answer = self._dispatcher.question()
        self._write(self._question(id, method, dict(params or {})))
        return self._result(await answer)

    def _write(self, message: Native) -> None:
        if self._link is not None:
            self._link.send(jsonio.dumps(message))

    def _put_out(self, output: Output) -> None:
        super()._put_out(output)
        for reply in output.replies:
            self._write(reply)

    # The process

    def _check_unopened(self) -> None:
        """Raises: Refused."""
        if self._link is not None or self._translator is not None:
            raise Refused(INVALID_REQUEST, "the session is open already: one session per process")

    async def _run(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        files: Sequence[PrivateFile] = (),
    ) -> None:
        """Start the process. `files` go when it goes. Raises: AgentNotInstalled, AgentStartFailed."""
        context = self._context
        link = self._link = AgentLink(
            argv,
            cwd=cwd,
            env=env,
            # What another process still writes must not be taken for this one's.
            on_lines=lambda lines: self._on_lines(link, lines),
            on_end=lambda: self._on_end(link),
            max_line_bytes=context.max_line_bytes,
            stop_grace_s=context.stop_grace_s,
            confine=context.confine,
            on_process=context.on_process,
        )
        self._files, self._is_over = files, False
        try:
            await link.start()
        except BaseException:
            self._link = None
            self._remove_files()
            raise
        if self._is_paused:
            link.pause()

    async def _forget_process(self) -> AgentExit:
        """It goes, and another one may be run. Returns when none is left, also of those before."""
        if self._link is not None:
            self._leaving.append(self._link)
            self._link = None
        self._dispatcher.end()
        self._early.clear()
        self._remove_files()
        while self._leaving:
            link = self._leaving[0]
            self._exit = await link.close()
            if link in self._leaving:
                self._leaving.remove(link)
        return self._exit

    async def _not_opened(self, code: int, why: str = "") -> Refused:
        """The process ended, and no session came of it."""
        ended = await self._forget_process()
        tail = ended.stderr_tail.strip() or None
        data = compact(exitCode=ended.exit_code, signal=ended.signal, stderrTail=tail)
        known = why if not ended.is_out_of_memory else ""
        message = known or (not ended.is_out_of_memory and tail) or f"{self.title} {ended.how}"
        return Refused(code, message, data)

    def _remove_files(self) -> None:
        for file in self._files:
            file.remove()

    # From the agent

    def _on_lines(self, link: AgentLink, lines: list[bytes]) -> None:
        if link is not self._link:
            return
        if self._held is not None:
            self._held += lines
        else:
            self._read(lines)

    def _on_end(self, link: AgentLink) -> None:
        if link is self._link:
            self._is_over = True
            if self._held is None:
                self._process_ended()

    def _process_ended(self) -> None:
        """All that it wrote has been read. Before there is a session another one may be opened."""
        self._dispatcher.end()
        if self._translator is not None or self._is_closed:
            self._end()

    def _read(self, lines: list[bytes]) -> None:
        rest = iter(lines)
        with self._in_one_batch():
            for line in rest:
                messages = self._read_line(line)
                for index, (raw, message) in enumerate(messages):
                    if self._read_message(raw, message):
                        self._held = [*(later for later, _ in messages[index + 1 :]), *rest]
                        self._give_turn()
                        break

    def _give_turn(self) -> None:
        self._turn = asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """With what came behind an answer."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        if self._held is None or (self._is_paused and not self._is_closed):
            return
        lines, self._held = self._held, None
        self._read(lines)
        if self._is_over and self._held is None:
            self._process_ended()

    def _read_line(self, line: bytes) -> list[tuple[bytes, Native]]:
        if isinstance(line, OversizeLine):
            return self._lost(line, line.head, "the line is too long")
        return self._messages(line)

    def _lost(self, line: bytes, head: bytes, reason: str) -> list[tuple[bytes, Native]]:
        told = super()._lost(line, head, reason)
        text = f"{self.title} wrote what could not be read: {reason}"
        if (message := self._in_place_of(members_at_head(head), head, text)) is not None:
            told.append((jsonio.dumps(message), message))
        return told

    def _read_message(self, line: bytes, message: Native) -> bool:
        """True when it answers somebody who waits for it."""
        if (id := self._answers(message)) is not None:
            return self._dispatcher.answer(id, message)
        if self._translator is None:
            self._early.append((line, message))
        else:
            self._translate(self._translator, message, line)
        return False

    def _after_answer(self) -> None:
        if self._translator is not None:
            early, self._early = self._early, []
            for line, message in early:
                self._translate(self._translator, message, line)
