"""An agent that writes what it is told, all in one write, and its adapter. `ID` in a line is that of the question."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from sandbox_agent_core.frames import RequestId
from sandbox_agent_core.frames.jsonrpc import INTERNAL_ERROR, notification
from sandbox_agent_core.spi.agent import AgentContext, AgentInstallation, WireFrame
from sandbox_agent_server.agents.native.adapter import Answer, Handler, Request
from sandbox_agent_server.agents.native.process_adapter import ProcessAdapter
from sandbox_agent_server.agents.native.refusals import AgentEnded, AgentRefused
from sandbox_agent_server.agents.native.translator import Native, Output

PROGRAM = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    told = asked["params"].get("lines", ['{"answer": "ID"}'])
    if told == "exit":
        sys.exit("I am done")
    sys.stdout.write("".join(each.replace("ID", asked["id"]) + "\\n" for each in told))
    sys.stdout.flush()
"""

ANSWER = '{"answer": "ID"}'


def say(what: str) -> str:
    return json.dumps({"say": what})


class Echo:
    is_prompted = False

    def feed(self, message: Native) -> Output:
        return Output([notification("said", {"what": message["say"]})])


class Parrot(ProcessAdapter[Echo]):
    name = "parrot"
    title = "Parrot"
    install_hint = ""
    capabilities: Mapping[str, Any] = {}

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self.began: list[str] = []

    def _handlers(self) -> Mapping[str, Handler]:
        return {"open": self._open, "write": self._ask, "twice": self._twice, "fail": self._fail}

    def _find(self, env: Mapping[str, str]) -> AgentInstallation | None:
        return AgentInstallation(path=sys.executable)

    def _question(self, id: Any, method: str, params: Native) -> Native:
        return {"id": id, "method": method, "params": params}

    def _answers(self, message: Native) -> str | None:
        return message.get("answer")

    def _result(self, answer: Native) -> Native:
        if "error" in answer:
            raise AgentRefused(answer["error"], {"more": 1})
        return answer

    async def _open(self, request: Request) -> Answer:
        self._check_unopened()
        context = self._context
        argv = [*self._command, "-c", PROGRAM]
        await self._run(argv, cwd=context.cwd, env=context.env)
        try:
            await self.ask("open", request.params)
        except AgentEnded:
            raise await self._not_opened(INTERNAL_ERROR) from None
        self._translator = Echo()
        return Answer({}, [notification("opened", {})])

    async def _ask(self, request: Request) -> Answer:
        self.began.append("write")
        await self.ask("write", request.params)
        return Answer({})

    async def _twice(self, request: Request) -> Answer:
        await self.ask("write", request.params)
        self._emit([notification("between", {})])
        await self.ask("write")
        return Answer({})

    async def _fail(self, request: Request) -> Answer:
        raise ZeroDivisionError

    async def _cancel(self) -> None:
        self.began.append("cancel")

    def _answered(self, request_id: RequestId, result: Mapping[str, Any] | None) -> None:
        self.began.append("answer")


class Batches:
    """A `FrameReceiver` that keeps the batches as they come."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.ends = 0

    def frames(self, batch: list[WireFrame]) -> None:
        assert batch
        assert not self.ends
        self.batches.append([_shown(item) for item in batch])

    def ended(self) -> None:
        self.ends += 1

    @property
    def all(self) -> list[str]:
        return [shown for batch in self.batches for shown in batch]


def _shown(item: WireFrame) -> str:
    frame = item.frame
    assert json.loads(item.raw) == frame
    if "method" not in frame:
        return f"{frame['id']} {'ok' if 'result' in frame else frame['error']['message']}"
    params = frame["params"]
    return str(params.get("what") or params.get("text") or frame["method"])
